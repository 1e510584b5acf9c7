"""Any data comes back as it was, and any damage is an error or does no harm.

Other data never comes back silently. Damage is a changed byte or a cut, anywhere. A format with
its own checksums (shards, NPZ, the signals of WFDB records) notices it by itself. Headers,
annotations and CSV have none; the file SHA256SUMS.txt beside them protects them.
"""

import hashlib
import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import wfdb
from conftest import REAL
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from bench.data import shards
from bench.data.formats.chunk import Unreadable
from bench.data.records import Records, read_record, read_signal
from bench.data.scan import scan
from bench.data.source import Samples
from bench.data.user_files import UserFile, check_file, scan_file
from bench.data.wfdb_files import read_annotations, read_counts, read_header
from bench.task import UserError

EXAMPLES = os.environ.get("EXAMPLES")
"""Number of examples of a long search, whose examples differ each time; None: 500 fixed ones."""

MANY = settings(
    max_examples=int(EXAMPLES or 500),
    derandomize=EXAMPLES is None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

SIGNALS = st.one_of(
    npst.arrays(np.int16, st.tuples(st.integers(2, 6), st.integers(1, 300))),
    npst.arrays(
        np.float32,
        st.tuples(st.integers(2, 6), st.integers(1, 300)),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    ),
)


def labelled(signal, seed: int = 0) -> np.ndarray:
    """Returns a label for each sample, of two classes or more."""
    return np.concatenate([[0, 1], np.random.default_rng(seed).integers(0, 5, len(signal) - 2)])


def damaged(content: bytes, place: float, change: int) -> bytes:
    """Returns the content with one byte changed or, if `change` is 0, cut off there.

    `place` is a share of the length, from 0 to 1.
    """
    at = min(int(place * len(content)), len(content) - 1)
    return (
        content[:at]
        if change == 0
        else content[:at] + bytes([content[at] ^ change]) + content[at + 1 :]
    )


DAMAGE = {"place": st.floats(0, 1), "change": st.integers(0, 255)}


def rows_of(own: UserFile) -> tuple[np.ndarray, list[str]]:
    """Returns all samples of a file and the names of their labels."""
    rows = io.BytesIO()
    found = scan_file(own, rows=rows)
    return np.frombuffer(rows.getvalue(), "<f4").reshape(-1, found.length), [
        found.classes[place] for place in found.labels
    ]


def write_sums(folder) -> None:
    (folder / "SHA256SUMS.txt").unlink(missing_ok=True)
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(folder.iterdir())
    ]
    (folder / "SHA256SUMS.txt").write_text("".join(lines))


@pytest.mark.slow
@MANY
@given(signal=SIGNALS, label=st.integers(0, 2**40), start=st.integers(0, 2**40))
def test_any_samples_come_back_from_a_shard(tmp_path_factory, signal, label, start):
    import tensorflow as tf

    path = str(tmp_path_factory.getbasetemp() / "round.tfrecord")
    shards.write_tfrecords(path, Samples(signal, np.full(len(signal), label)), start)
    examples = [
        tf.train.Example.FromString(record).features.feature
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator()
    ]
    read = np.stack(
        [
            np.frombuffer(example["signal"].bytes_list.value[0], signal.dtype.newbyteorder("<"))
            for example in examples
        ]
    )
    assert read.tobytes() == signal.tobytes()
    assert [example["label"].int64_list.value[0] for example in examples] == [label] * len(signal)
    assert [example["index"].int64_list.value[0] for example in examples] == list(
        range(start, start + len(signal))
    )


@pytest.mark.slow
@MANY
@given(signal=SIGNALS)
def test_any_samples_come_back_from_npz_and_csv(tmp_path_factory, signal):
    folder, labels = tmp_path_factory.getbasetemp(), labelled(signal)
    np.savez_compressed(folder / "round.npz", signal=signal, label=labels)
    rows = [
        ",".join([*(repr(float(value)) for value in row), str(label)])
        for row, label in zip(signal, labels)
    ]
    (folder / "round.csv").write_text(
        "\n".join([",".join([*map(str, range(signal.shape[1])), "label"]), *rows]) + "\n"
    )
    for name in ("round.npz", "round.csv"):
        read, names = rows_of(UserFile(folder / name))
        assert np.array_equal(read, signal.astype(np.float32))
        assert names == [str(label) for label in labels]


@pytest.fixture(scope="module")
def tfrecords(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfrecords")
    signal = np.random.default_rng(1).integers(-500, 500, (12, 40)).astype(np.int16)
    shards.write_tfrecords(folder / "a.tfrecord", Samples(signal, np.arange(12) % 3))
    return folder


@pytest.mark.slow
@MANY
@given(**DAMAGE)
def test_a_damaged_shard_is_an_error_or_what_comes_before_the_cut(
    tfrecords, tmp_path_factory, place, change
):
    whole, labels = rows_of(UserFile(tfrecords))
    copy = tmp_path_factory.getbasetemp() / "damaged-tfrecords"
    copy.mkdir(exist_ok=True)
    (copy / "a.tfrecord").write_bytes(
        damaged((tfrecords / "a.tfrecord").read_bytes(), place, change)
    )
    try:
        read, names = rows_of(UserFile(copy))
    except UserError:
        return
    assert change == 0
    assert np.array_equal(read, whole[: len(read)])
    assert names == labels[: len(read)]


@MANY
@given(**DAMAGE, compressed=st.booleans())
def test_a_damaged_npz_is_an_error_or_does_no_harm(tmp_path_factory, place, change, compressed):
    signal = np.random.default_rng(2).normal(size=(9, 31)).astype(np.float32)
    content = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(
        content, signal=signal, label=labelled(signal)
    )
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(damaged(content.getvalue(), place, change))
    try:
        read, names = rows_of(UserFile(path))
    except UserError:
        return
    assert np.array_equal(read, signal)
    assert names == [str(label) for label in labelled(signal)]


@MANY
@given(**DAMAGE)
def test_a_damaged_csv_is_an_error_by_its_checksum(tmp_path_factory, place, change):
    folder = tmp_path_factory.getbasetemp() / "damaged-csv"
    folder.mkdir(exist_ok=True)
    path, content = (
        folder / "a.csv",
        b"0,1,label\n" + b"".join(b"%d,%d,%d\n" % (row, -row, row % 2) for row in range(50)),
    )
    path.write_bytes(content)
    write_sums(folder)
    check_file(UserFile(path))
    path.write_bytes(damaged(content, place, change))
    with pytest.raises(UserError, match=r"a\.csv: damaged or changed"):
        scan_file(UserFile(path))


NAME = sorted(path.stem for path in Path(REAL).glob("*.hea"))[0] if REAL else "r"


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """Returns the folder of one record of 20 s, which is quick to read, or of a real one."""
    folder = tmp_path_factory.mktemp("record")
    if REAL:
        for ending in ("hea", "dat", "atr"):
            shutil.copyfile(Path(REAL) / f"{NAME}.{ending}", folder / f"{NAME}.{ending}")
        return folder
    generator = np.random.default_rng(3)
    wfdb.wrsamp(
        "r",
        360,
        ["mV", "mV"],
        ["MLII", "V1"],
        d_signal=generator.integers(0, 2048, (7200, 2)),
        fmt=["212", "212"],
        adc_gain=[200.0, 200.0],
        baseline=[1024, 1024],
        write_dir=str(folder),
    )
    beats = np.arange(200, 7000, 300)
    wfdb.wrann(
        "r",
        "atr",
        beats,
        symbol=list(np.where(np.arange(len(beats)) % 3, "N", "V")),
        write_dir=str(folder),
    )
    return folder


def contents(folder) -> tuple:
    header = read_header(folder / f"{NAME}.hea")
    places, symbols = read_annotations(folder, header)
    return read_signal(folder, header).tobytes(), places.tobytes(), tuple(symbols)


@pytest.fixture(scope="module")
def copy(record, tmp_path_factory):
    return shutil.copytree(record, tmp_path_factory.mktemp("copies") / "copy")


@pytest.mark.slow
@MANY
@given(**DAMAGE)
def test_a_damaged_signal_file_is_an_error_or_has_the_same_checksum(record, copy, place, change):
    whole = read_counts(record, read_header(record / f"{NAME}.hea"))
    (copy / f"{NAME}.dat").write_bytes(
        damaged((record / f"{NAME}.dat").read_bytes(), place, change)
    )
    try:
        read = read_counts(copy, read_header(copy / f"{NAME}.hea"))
    except UserError:
        return
    finally:
        shutil.copy(record / f"{NAME}.dat", copy)
    # WFDB's checksum is a sum: a byte that two samples share can change both without a trace.
    assert (read.sum() - whole.sum()) % 2**16 == 0


@pytest.mark.slow
@MANY
@given(place=st.floats(0, 1))
def test_annotations_that_are_cut_short_are_an_error(record, copy, place):
    (copy / f"{NAME}.atr").write_bytes(damaged((record / f"{NAME}.atr").read_bytes(), place, 0))
    with pytest.raises(UserError, match=f"{NAME}.atr is damaged or cut short"):
        contents(copy)
    shutil.copy(record / f"{NAME}.atr", copy)


@MANY
@given(**DAMAGE, name=st.sampled_from([f"{NAME}.hea", f"{NAME}.atr", f"{NAME}.dat"]))
def test_a_damaged_record_is_an_error_by_its_checksum(
    record, tmp_path_factory, place, change, name
):
    folder = tmp_path_factory.getbasetemp() / "with-sums"
    if not folder.exists():
        shutil.copytree(record, folder)
        write_sums(folder)
    (folder / name).write_bytes(damaged((record / name).read_bytes(), place, change))
    with pytest.raises(UserError, match=f"{name}: damaged or changed"):
        Records(folder)
    shutil.copy(record / name, folder)


@MANY
@given(
    **DAMAGE,
    name=st.sampled_from([f"{NAME}.hea", f"{NAME}.atr"]),
    more=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=6),
)
def test_headers_and_annotations_of_strangers_end_in_an_error_or_in_data(
    record, copy, place, change, name, more
):
    content = damaged((record / name).read_bytes(), place, change)
    for other_place, other in more:
        content = damaged(content, other_place, other) if content else content
    (copy / name).write_bytes(content)
    message = f"{NAME} is read"
    try:
        _, places, symbols = contents(copy)
        assert len(places) == 8 * len(symbols)
        found = read_record(copy / f"{NAME}.hea", frequency=None)
        assert np.all((found.beats >= 0) & (found.beats < found.header.length))
    except UserError as error:
        message = str(error)
    finally:
        shutil.copy(record / name, copy)
    assert NAME in message
    assert "\n" not in message


@MANY
@given(
    lines=st.lists(st.text(st.characters(max_codepoint=255), max_size=60), max_size=5),
    first=st.sampled_from(
        [
            "r 1 360 7200",
            "r 2 360 99999999999999",
            "r 99999999 360 10",
            "r/3 2 360 7200",
            "r 0 360 0",
            "r -1 1e308 -5",
            "",
        ]
    ),
)
def test_a_header_of_any_text_ends_in_one_line(tmp_path_factory, first, lines):
    folder = tmp_path_factory.getbasetemp() / "texts"
    folder.mkdir(exist_ok=True)
    (folder / "r.dat").write_bytes(bytes(3000))
    (folder / "r.hea").write_text("\n".join([first, *lines]), errors="replace")
    with pytest.raises(UserError) as error:
        read_counts(folder, read_header(folder / "r.hea"))
    assert "\n" not in str(error.value)


def test_the_scan_refuses_what_it_cannot_keep_apart():
    with pytest.raises(Unreadable, match="holds no sample"):
        scan([])
