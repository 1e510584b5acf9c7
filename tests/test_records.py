import shutil
from dataclasses import replace

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


def word(code, number):
    """One annotation, or the beginning of one, as WFDB writes it."""
    return (code << 10 | number).to_bytes(2, "little")


NORMAL, SKIP, AUX, END = word(1, 500), word(59, 0), word(63, 3), bytes(2)


BACK, RHYTHM = SKIP + b"\xff\xff\x9c\xff", word(28, 0)
"""An interval of -100, and a rhythm at the place of the annotation before it."""


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


def damage_no_file(folder):
    (folder / "100.hea").unlink()
    (folder / "100.hea").mkdir()


def damage_checksum(folder):
    (folder / "SHA256SUMS.txt").write_text(f"{'0' * 64}  100.atr\n")


def damage_out_of_order(folder):
    (folder / "100.atr").write_bytes(NORMAL + BACK + word(1, 0) + END)


DAMAGE = [
    (damage_truncated, "cut short"),
    (damage_disagreeing, "checksum"),
    (damage_no_annotation, "no annotation file 100.atr"),
    (damage_other_frequency, "250 Hz; 360 Hz is needed"),
    (damage_outside, "names the file '../100.dat', which is not in its folder"),
    (damage_header, "record 100 cannot be read"),
    (damage_no_file, "record 100: 100.hea is no file"),
    (damage_checksum, "100.atr: damaged or changed"),
    (damage_out_of_order, "record 100: 100.atr is damaged: its beats are out of order"),
]


@pytest.mark.fast
@pytest.mark.parametrize(("damage", "message"), DAMAGE)
def test_a_damaged_record_is_refused_by_name(copy, damage, message):
    damage(copy)
    with pytest.raises(UserError, match=message) as error:
        Records(copy)
    assert str(error.value).endswith("; --skip-damaged leaves out such a record")


@pytest.mark.fast
@pytest.mark.parametrize(("damage", "message"), DAMAGE)
def test_a_damaged_record_is_left_out_and_named_if_asked(copy, tmp_path, damage, message):
    alone = tmp_path / "alone"
    alone.mkdir()
    for path in copy.glob("201.*"):
        shutil.copy(path, alone)
    damage(copy)
    records = Records(copy, skip_damaged=True)
    assert [record.header.name for record in records.records] == ["201"]
    assert records.digest == Records(alone).digest
    (remark,) = records.remarks
    assert remark.startswith("left out by --skip-damaged: ")
    assert message in remark


@pytest.mark.fast
def test_a_single_record_cannot_be_left_out(copy):
    for path in copy.glob("201.*"):
        path.unlink()
    damage_truncated(copy)
    with pytest.raises(UserError) as error:
        Records(copy)
    assert "--skip-damaged" not in str(error.value)
    with pytest.raises(UserError, match=f"{copy}: no record can be used: .*record 100 .*cut short"):
        Records(copy, skip_damaged=True)


@pytest.mark.fast
def test_records_without_damage_are_all_used_if_damaged_ones_are_left_out(folder):
    records = Records(folder, skip_damaged=True)
    assert len(records.records) == 2
    assert records.remarks == []
    assert records.digest == Records(folder).digest


@pytest.mark.fast
def test_signals_in_files_of_another_name_are_checked_and_digested(copy):
    header = copy / "201.hea"
    header.write_text(header.read_text().replace("201.dat", "201.bin"))
    (copy / "201.dat").rename(copy / "201.bin")
    records = Records(copy)
    assert copy / "201.bin" in records.files
    (copy / "SHA256SUMS.txt").write_text(f"{'0' * 64}  201.bin\n")
    with pytest.raises(UserError, match=r"201\.bin: damaged or changed"):
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


@pytest.mark.parametrize(
    "command",
    [
        ("impl_keras", "--records"),
        ("bench", "all", "--out", "out", "--records"),
        ("bench", "replay", "--out", "out", "--records"),
        ("bench", "data", "inspect"),
    ],
)
def test_a_truncated_record_ends_the_command_with_one_line_and_code_2(copy, tmp_path, command):
    damage_truncated(copy)
    words = [tmp_path / "out" if word == "out" else word for word in command]
    process = run_module(*words, copy)
    assert process.returncode == 2
    assert "record 100" in process.stderr
    assert process.stderr.endswith("; --skip-damaged leaves out such a record\n")
    assert process.stderr.count("\n") == 1


def test_training_and_inspection_name_the_record_that_they_leave_out(tmp_path):
    write_record(tmp_path, "100")
    write_record(tmp_path, "203")
    damage_truncated(tmp_path)
    remark = f"left out by --skip-damaged: {tmp_path}: record 100 cannot be read: 100.dat is cut"
    inspection = run_module("bench", "data", "inspect", tmp_path, "--skip-damaged")
    assert inspection.returncode == 0, inspection.stderr
    assert inspection.stdout.count(f"warning: {remark}") == 1
    picture = tmp_path / "samples.png"
    for option in (["--records", tmp_path, "--dataset", "small"], ["--data", tmp_path]):
        training = run_module("bench", "data", *option, "--skip-damaged", "--picture", picture)
        assert training.returncode == 0, training.stderr
        assert training.stdout.count(f"note: {tmp_path}: {remark}") == 1


@pytest.mark.parametrize(
    "command",
    [
        ("bench", "data"),
        ("bench", "replay", "--out", "out"),
        ("bench", "data", "inspect", "a.csv"),
    ],
)
def test_leaving_out_records_without_records_is_refused(tmp_path, command):
    words = [tmp_path / word if word in ("out", "a.csv") else word for word in command]
    process = run_module(*words, "--skip-damaged")
    assert process.returncode == 2
    assert process.stderr == "error: --skip-damaged is for WFDB records\n"


HEADER = Header("r", 10_000, 360.0, 0, 200.0, 0, "mV", ("r.dat",))


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


@pytest.mark.fast
def test_annotations_that_do_not_end_with_their_mark_are_refused(copy):
    (copy / "100.atr").write_bytes(NORMAL + END + word(1, 1))
    with pytest.raises(UserError, match=r"100\.atr is damaged or cut short"):
        read_annotations(copy, read_header(copy / "100.hea"))


@pytest.mark.fast
@pytest.mark.parametrize(
    ("content", "places"),
    [
        (NORMAL + word(1, 100) + END, [500, 600]),
        (NORMAL + AUX + b"(N\0\0" + word(1, 0x100) + END, [500, 756]),
        (SKIP + b"\x02\x00\x7f\x32" + word(1, 0) + END, [143_999]),
        (SKIP + b"\x02\x00\x80\x32" + RHYTHM + END, [144_000]),
        (NORMAL + BACK + RHYTHM + END, [500, 400]),
        (END, []),
    ],
)
def test_annotations_are_read_wherever_they_stand(copy, content, places):
    (copy / "100.atr").write_bytes(content)
    found, symbols = read_annotations(copy, read_header(copy / "100.hea"))
    assert found.tolist() == places
    assert symbols.dtype.kind == "U"


LENGTH = 144_000
"""Number of values in the records of these tests."""


def annotate(folder, places, symbols, name="100"):
    """Writes annotations as `wfdb` does; rhythms are `(N`, comments `noise`."""
    notes = [{"+": "(N", '"': "noise"}.get(symbol, "") for symbol in symbols]
    wfdb.wrann(
        name, "atr", np.array(places), symbol=list(symbols), aux_note=notes, write_dir=str(folder)
    )


@pytest.mark.fast
@pytest.mark.parametrize("symbol", ["+", '"', "~", "|"])
def test_what_is_no_beat_may_stand_after_the_signal(copy, symbol):
    annotate(copy, [0, 500, 900, LENGTH, LENGTH + 7000], f"+NV{symbol}{symbol}")
    records = Records(copy)
    assert records.records[0].beats.tolist() == [500, 900]
    assert records.remarks == []


@pytest.mark.fast
def test_what_is_no_beat_may_be_out_of_order(copy):
    (copy / "100.atr").write_bytes(NORMAL + BACK + RHYTHM + word(1, 300) + END)
    assert read_record(copy / "100.hea").beats.tolist() == [500, 700]


@pytest.mark.fast
def test_beats_that_are_out_of_order_are_refused_by_their_places(copy):
    (copy / "100.atr").write_bytes(NORMAL + word(1, 0) + END)
    assert read_record(copy / "100.hea").beats.tolist() == [500, 500]
    (copy / "100.atr").write_bytes(NORMAL + BACK + word(1, 0) + END)
    with pytest.raises(UserError, match="one at sample 500 comes before one at sample 400"):
        read_record(copy / "100.hea")


@pytest.mark.fast
@pytest.mark.parametrize(("place", "outside"), [(LENGTH - 1, 0), (LENGTH, 1), (LENGTH + 90_000, 1)])
def test_a_beat_after_the_signal_is_left_out_and_said(copy, place, outside):
    annotate(copy, [500, 900, place], "NVV")
    records = Records(copy)
    assert records.records[0].beats.tolist() == [500, 900, place][: 3 - outside]
    assert records.records[0].positive.tolist() == [False, True, True][: 3 - outside]
    assert (
        records.remarks
        == [
            "beats outside of the signal are left out: 1, of record 100 (1)",
        ]
        * outside
    )


@pytest.mark.fast
@pytest.mark.parametrize(("first", "beats"), [(100, [0, 600, 1000]), (99, [600, 1000])])
def test_a_beat_before_the_signal_is_left_out(copy, first, beats):
    rest = word(1, 600 - first + 100) + word(1, 400)
    (copy / "100.atr").write_bytes(BACK + word(1, first) + rest + END)
    record = read_record(copy / "100.hea")
    assert record.beats.tolist() == beats
    assert record.outside == 3 - len(beats)


@pytest.mark.fast
def test_a_record_most_of_whose_beats_are_outside_is_refused(copy):
    annotate(copy, [500, 900, LENGTH, LENGTH + 1], "NVNV")
    assert read_record(copy / "100.hea").outside == 2
    annotate(copy, [500, 900, LENGTH, LENGTH + 1, LENGTH + 2], "NVNVN")
    with pytest.raises(UserError, match="3 of its 5 beats stand outside of the signal, which has"):
        read_record(copy / "100.hea")


@pytest.mark.fast
@pytest.mark.parametrize(("count", "end"), [(5, "4 (1)"), (6, "4 (1) and 1 more"), (1, "0 (1)")])
def test_records_with_beats_outside_are_named_in_one_remark(folder, count, end):
    records = Records(folder)
    records.records = [
        Record(replace(HEADER, name=str(number)), np.array([]), np.array([]), outside=1)
        for number in range(count)
    ]
    (remark,) = records.remarks
    assert remark.startswith(f"beats outside of the signal are left out: {count}, of record 0 (1)")
    assert remark.endswith(end)


def test_training_and_inspection_say_that_a_beat_is_left_out(copy, tmp_path):
    places = np.arange(300, LENGTH, 300)
    annotate(copy, [*places, LENGTH], ["N", "V"] * (len(places) // 2) + ["+"] + ["N"])
    remark = "beats outside of the signal are left out: 1, of record 100 (1)"
    inspection = run_module("bench", "data", "inspect", copy)
    assert f"warning: {remark}\n" in inspection.stdout, inspection.stderr
    training = run_module(
        "bench", "data", "--records", copy, "--dataset", "small", "--picture", tmp_path / "a.png"
    )
    assert training.stdout.count(f"note: {copy}: {remark}\n") == 1, training.stderr
