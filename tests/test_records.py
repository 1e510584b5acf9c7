import shutil

import numpy as np
import pytest
import wfdb
from conftest import both_splits, run_module, write_record

from bench.data.records import (
    Record,
    RecordPart,
    Records,
    _beat_windows,
    _strip_windows,
    parts_of,
    read_record,
    read_signal,
)
from bench.data.source import Spec
from bench.data.wfdb_files import Header, read_annotations, read_header
from bench.task import UserError

BEATS = Spec("small", 130, train=60, evaluation=20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    write_record(folder, "100")
    write_record(folder, "201", premature_share=0.0)
    return folder


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


@pytest.mark.fast
def test_a_record_is_read_in_counts_without_its_baseline(folder):
    record = read_record(folder / "100.hea")
    signal = read_signal(folder, record.header)
    assert abs(np.median(signal)) < 3
    assert signal[record.beats].mean() == pytest.approx(240, abs=3)
    assert 0 < record.positive.sum() < len(record.beats)


@pytest.mark.fast
def test_beats_have_the_r_wave_in_the_middle_and_both_classes(folder):
    train, evaluation = both_splits(Records(folder), BEATS)
    assert train.signal.shape == (60, 130)
    assert train.labels.mean() == 0.5
    assert evaluation.labels.mean() == 0.5
    assert np.all(np.abs(train.signal.argmax(axis=1) - 65) <= 12)
    wide = (train.signal > 120).sum(axis=1)
    assert wide[train.labels == 1].min() > wide[train.labels == 0].max()


@pytest.mark.fast
def test_training_and_evaluation_do_not_overlap_and_cover_the_record(folder):
    record = read_record(folder / "100.hea")
    for_training, held_out = parts_of([record])
    spans = sorted((part.start, part.end) for part in for_training + held_out)
    assert spans[0][0] == 0
    assert spans[-1][1] == record.header.length
    assert all(end == start for (_, end), (start, _) in zip(spans, spans[1:]))
    assert sum(part.end - part.start for part in held_out) == pytest.approx(
        0.2 * record.header.length, abs=4
    )


@pytest.mark.fast
def test_a_strip_needs_three_premature_beats_or_none(folder):
    record = read_record(folder / "100.hea")
    part = RecordPart(record, 0, record.header.length)
    premature = record.beats[record.positive]
    labels = dict(_strip_windows(part, 2000))
    for start in range(0, record.header.length - 2000 + 1, 900):
        count = np.sum((premature >= start) & (premature < start + 2000))
        assert labels.get(start) == {0: 0, 1: None, 2: None}.get(count, 1)


@pytest.mark.fast
def test_the_recipe_changes_with_any_byte_of_the_records(folder, copy):
    before = Records(folder).dataset_parameters(BEATS)
    assert Records(copy).dataset_parameters(BEATS) == before
    with (copy / "100.hea").open("a") as header:
        header.write("# a remark\n")
    assert Records(copy).dataset_parameters(BEATS) != before


@pytest.mark.fast
@pytest.mark.parametrize(
    ("kind", "lowest"),
    [("16", -(2**15)), ("212", -(2**11)), ("80", -(2**7)), ("24", -(2**23)), ("32", -(2**31))],
)
def test_a_value_that_is_marked_as_invalid_is_refused_by_its_place(tmp_path, kind, lowest):
    counts = np.arange(100)[:, np.newaxis] % 50 * [1, -1]
    counts[[70, 80], 1] = lowest
    write_signals(tmp_path, counts, kind, gain=200.0)
    assert read_signal(tmp_path, read_header(tmp_path / "r.hea", "MLII"))[70] == 20
    with pytest.raises(
        UserError,
        match=r"record r: signal 1 has no valid value at sample 70 \(.*\), and at 2 in all",
    ):
        read_signal(tmp_path, read_header(tmp_path / "r.hea", "ABP"))


@pytest.mark.fast
def test_a_value_that_does_not_fit_is_refused_by_its_place(tmp_path):
    counts = np.full((100, 2), 120)
    counts[40, 1] = 300
    write_signals(tmp_path, counts, "16", gain=1.0)
    assert read_signal(tmp_path, read_header(tmp_path / "r.hea"))[40] == 120 * 200
    with pytest.raises(
        UserError, match=r"record r: signal 1 is 300 of its unit at sample 40 \(.*\); up to 164 can"
    ):
        read_signal(tmp_path, read_header(tmp_path / "r.hea", "1"))


def write_signals(folder, counts, kind, gain):
    wfdb.wrsamp(
        "r",
        360,
        ["mV", "mmHg"],
        ["MLII", "ABP"],
        d_signal=counts,
        fmt=[kind] * 2,
        adc_gain=[gain] * 2,
        baseline=[0] * 2,
        write_dir=str(folder),
    )


@pytest.mark.fast
def test_annotations_that_are_too_many_for_a_record_are_not_read(copy):
    with (copy / "100.atr").open("ab") as file:
        file.truncate(2**22 + 1)
    with pytest.raises(UserError, match=r"100\.atr is larger than 4 MiB"):
        Records(copy)


def damage_truncated(folder):
    path = folder / "100.dat"
    path.write_bytes(path.read_bytes()[:5000])


def damage_disagreeing(folder):
    path = folder / "100.dat"
    content = bytearray(path.read_bytes())
    content[3000] ^= 0x10
    path.write_bytes(content)


def damage_no_annotation(folder):
    (folder / "100.atr").unlink()


def damage_other_frequency(folder):
    write_record(folder, "100", frequency=250)


def damage_outside(folder):
    header = folder / "100.hea"
    header.write_text(header.read_text().replace("100.dat", "../100.dat"))


def damage_header(folder):
    (folder / "100.hea").write_text("\x00\x01 nonsense")


@pytest.mark.fast
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_truncated, "cut short"),
        (damage_disagreeing, "checksum"),
        (damage_no_annotation, "no annotation file 100.atr"),
        (damage_other_frequency, "250 Hz; 360 Hz is needed"),
        (damage_outside, "names the file '../100.dat', which is not in its folder"),
        (damage_header, "record 100 cannot be read"),
    ],
)
def test_a_damaged_record_is_refused_by_name(copy, damage, message):
    damage(copy)
    with pytest.raises(UserError, match=message):
        Records(copy)


@pytest.mark.fast
def test_one_class_alone_is_refused(tmp_path):
    write_record(tmp_path, "201", premature_share=0.0)
    with pytest.raises(UserError, match=r"two classes are needed.*class 1"):
        Records(tmp_path).sizes(BEATS)


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda folder: None, "there is no such folder"),
        (lambda folder: folder.mkdir(), "no WFDB record in it"),
    ],
)
def test_a_missing_or_empty_folder_ends_with_one_line_and_code_2(tmp_path, prepare, message):
    prepare(tmp_path / "records")
    process = run_module(
        "bench", "all", "--records", tmp_path / "records", "--out", tmp_path / "out"
    )
    assert process.returncode == 2
    assert message in process.stderr
    assert process.stderr.count("\n") == 1
    assert not any((tmp_path / "out").iterdir())


def test_a_truncated_record_ends_the_command_with_one_line_and_code_2(copy, tmp_path):
    damage_truncated(copy)
    process = run_module("impl_keras", "--records", copy)
    assert process.returncode == 2
    assert "record 100" in process.stderr
    assert process.stderr.count("\n") == 1


HEADER = Header("r", 10_000, 360.0, 0, 200.0, 0)


def test_a_beat_belongs_to_the_part_that_holds_all_of_its_sample():
    beats = np.array([164, 165, 300, 435, 436])
    record = Record(HEADER, beats, np.array([True, True, False, True, True]))
    found = [
        (int(start), int(label))
        for start, label in _beat_windows(RecordPart(record, 100, 500), 130)
    ]
    assert found == [(100, 1), (235, 0), (370, 1)]


@pytest.mark.parametrize(("length", "starts"), [(500, [0, 500, 1000]), (1500, [0])])
def test_a_part_is_cut_into_strips_to_its_end(length, starts):
    part = RecordPart(Record(HEADER, np.array([], int), np.array([], bool)), 0, 1500)
    assert [start for start, _ in _strip_windows(part, length)] == starts


def test_long_strips_overlap():
    part = RecordPart(Record(HEADER, np.array([], int), np.array([], bool)), 0, 3800)
    assert [start for start, _ in _strip_windows(part, 2000)] == [0, 900, 1800]


def test_any_symbol_that_is_asked_for_counts_as_a_beat(copy):
    wfdb.wrann("100", "atr", np.array([500, 900]), symbol=["|", "N"], write_dir=str(copy))
    assert read_record(copy / "100.hea").beats.tolist() == [900]
    record = read_record(copy / "100.hea", ("|",))
    assert record.beats.tolist() == [500, 900]
    assert record.positive.tolist() == [True, False]


def test_no_sample_is_drawn_twice(folder):
    for samples in both_splits(Records(folder), BEATS):
        assert len(np.unique(samples.signal, axis=0)) == len(samples.signal)


def test_records_are_checked_by_the_checksums_beside_them(copy):
    (copy / "SHA256SUMS.txt").write_text(f"{'0' * 64}  100.dat\n")
    with pytest.raises(UserError, match=r"100\.dat: damaged or changed"):
        Records(copy)


@pytest.mark.parametrize(
    ("signal", "channel", "message"),
    [
        ("100.dat 212 200(1024)/mV 11 1024", "0", "has no checksum for signal 0"),
        ("100.dat 212 -200(1024)/mV 11 1024 0 0 0", "0", "gives no gain for signal 0"),
        ("100.dat 212+512 200(1024)/mV 11 1024 0 0 0", "0", "bytes of 216,512"),
        ("100.dat 212 200(1024)/mV 11 1024 0 0 0", "1", "has no signal '1'"),
    ],
)
def test_a_header_that_does_not_describe_its_signal_is_refused(copy, signal, channel, message):
    (copy / "100.hea").write_text(f"100 1 360 144000\n{signal}\n")
    with pytest.raises(UserError, match=message):
        read_header(copy / "100.hea", channel)


def test_a_link_that_leads_out_of_the_folder_is_not_followed(copy, tmp_path):
    (copy / "100.dat").rename(tmp_path / "100.dat")
    (copy / "100.dat").symlink_to(tmp_path / "100.dat")
    with pytest.raises(UserError, match=r"names the file '100\.dat', which is not in its folder"):
        read_header(copy / "100.hea")


def word(code, number):
    """One annotation, or the beginning of one, as WFDB writes it."""
    return (code << 10 | number).to_bytes(2, "little")


NORMAL, SKIP, AUX, END = word(1, 500), word(59, 0), word(63, 3), bytes(2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (NORMAL + END + word(1, 1), "damaged or cut short"),
        (NORMAL + SKIP + b"\xff\xff\x9c\xff" + word(1, 0) + END, "out of order"),
        (SKIP + b"\x02\x00\x80\x32" + word(1, 0) + END, "out of the signal"),
    ],
)
def test_annotations_that_do_not_fit_the_signal_are_refused(copy, content, message):
    (copy / "100.atr").write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_annotations(copy, read_header(copy / "100.hea"))


@pytest.mark.parametrize(
    ("content", "places"),
    [
        (NORMAL + word(1, 100) + END, [500, 600]),
        (NORMAL + AUX + b"(N\0\0" + word(1, 0x100) + END, [500, 756]),
        (SKIP + b"\x02\x00\x7f\x32" + word(1, 0) + END, [143_999]),
    ],
)
def test_annotations_are_read_to_the_last_value_of_the_signal(copy, content, places):
    (copy / "100.atr").write_bytes(content)
    assert read_annotations(copy, read_header(copy / "100.hea"))[0].tolist() == places
