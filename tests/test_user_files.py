"""Data of users: every format, any length, any number of classes."""

import json
import os
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import run_module, write_record

from bench.data import shards, user_files
from bench.data.estimate import SATURATED, logit_step
from bench.data.formats import parquet
from bench.data.formats.chunk import CHUNK_BYTES, Chunk, Unreadable
from bench.data.scan import _keep, scan
from bench.data.shards import sha256
from bench.data.source import QUICK_DATASETS, SPLITS, Samples
from bench.data.store import make_dataset
from bench.data.synthetic import Synthetic
from bench.data.user_files import UserData, UserFile, orders, scan_file
from bench.task import UserError

SIGNAL = np.random.default_rng(0).integers(-300, 300, (90, 7)).astype(np.int16)
LABELS = np.array(["a", "b", "<c>"])[np.arange(90) % 3]
IN_ORDER = ["<c>", "a", "b"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    np.savez(folder / "one.npz", signal=SIGNAL, label=LABELS)
    table = pd.DataFrame(SIGNAL, columns=[f"v{place}" for place in range(7)])
    table.assign(label=LABELS).to_csv(folder / "named.csv", index=False)
    table.assign(label=LABELS).to_csv(folder / "bare.csv", index=False, header=False)
    table.assign(label=LABELS).to_csv(folder / "semicolons.csv", index=False, sep=";")
    table.assign(label=LABELS).to_parquet(folder / "columns.parquet")
    pd.DataFrame({"beat": list(SIGNAL.astype(np.float32)), "kind": LABELS}).to_parquet(
        folder / "lists.parquet"
    )
    write_examples(folder / "records", "signal", "label")
    write_examples(folder / "renamed", "ecg", "kind", as_floats=True)
    return folder


def write_examples(folder, signal_name, label_name, as_floats=False):
    import tensorflow as tf

    def example(row, label):
        signal = (
            tf.train.Feature(float_list=tf.train.FloatList(value=row))
            if as_floats
            else tf.train.Feature(
                bytes_list=tf.train.BytesList(value=[row.astype("<i2").tobytes()])
            )
        )
        label = tf.train.Feature(bytes_list=tf.train.BytesList(value=[label.encode()]))
        return tf.train.Example(
            features=tf.train.Features(feature={signal_name: signal, label_name: label})
        ).SerializeToString()

    folder.mkdir()
    for number, rows in enumerate(np.array_split(np.arange(len(SIGNAL)), 3)):
        with tf.io.TFRecordWriter(str(folder / f"part-{number}.tfrecord")) as writer:
            for row in rows:
                writer.write(example(SIGNAL[row], LABELS[row]))


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("one.npz", {}),
        ("named.csv", {}),
        ("bare.csv", {"label": "-1"}),
        ("bare.csv", {"label": "7"}),
        ("semicolons.csv", {}),
        ("columns.parquet", {}),
        ("lists.parquet", {"label": "kind"}),
        ("records", {}),
        ("renamed", {"signal": "ecg", "label": "kind"}),
    ],
)
def test_every_format_gives_the_same_samples(folder, name, names):
    path = UserFile(folder / name, **names)
    found = scan_file(path)
    assert (found.length, found.classes, found.balance, found.values) == (
        7,
        IN_ORDER,
        [30, 30, 30],
        "int16",
    )
    assert (found.low, found.high) == (SIGNAL.min(), SIGNAL.max())
    source = UserData(path)
    drawn = [
        source.draw(source.spec, split, 0, source.sizes(source.spec)[split]) for split in SPLITS
    ]
    assert [len(samples.labels) for samples in drawn] == [72, 18]
    assert all(
        np.array_equal(np.bincount(samples.labels), [len(samples.labels) // 3] * 3)
        for samples in drawn
    )
    seen = {
        (row.tobytes(), IN_ORDER[label])
        for samples in drawn
        for row, label in zip(samples.signal, samples.labels)
    }
    assert seen == {(row.tobytes(), label) for row, label in zip(SIGNAL, LABELS)}


def test_fractions_and_large_numbers_are_stored_as_float32(tmp_path):
    for name, signal in (("fractions", SIGNAL / 8), ("large", SIGNAL.astype(np.int32) * 1000)):
        np.savez(tmp_path / f"{name}.npz", signal=signal, label=LABELS)
        source = UserData(UserFile(tmp_path / f"{name}.npz"))
        assert source.spec.values == "float32"
        dataset = make_dataset(source, source.spec)
        assert dataset.values == "float32"
        assert set(np.unique(dataset.probe.signal)) <= set(signal.astype(np.float32).ravel())


@pytest.mark.fast
@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["1E5", "100000", "007", "7"], ["007", "7", "100000", "1E5"]),
        ([2**53, 2**53 + 1, 1, 7], ["1", "7", str(2**53), str(2**53 + 1)]),
        (["nan", "1", "10", "2"], ["1", "10", "2", "nan"]),
        ([1.0, 10.0, 2.5, -0.0], ["0", "1", "2.5", "10"]),
        ([True, False, True, False], ["0", "1"]),
        ([b"\xff", b"\xfe", b"a", b"b"], ["\\xfe", "\\xff", "a", "b"]),
        (["1.0", "1", "a", " "], [" ", "1", "1.0", "a"]),
    ],
)
def test_no_two_labels_become_one(tmp_path, labels, classes):
    np.savez(tmp_path / "a.npz", signal=SIGNAL[:4], label=np.array(labels))
    assert scan_file(UserFile(tmp_path / "a.npz")).classes == classes


@pytest.mark.parametrize(("length", "kept"), [(7, 256), (2**20, 16), (2**24, 2)])
def test_the_examples_of_a_scan_are_bounded_by_bytes(length, kept):
    rows = (
        np.broadcast_to(np.float32(0), (300, length))
        if length < 100
        else np.zeros((1, length), np.float32)
    )
    examples, generator = [], np.random.default_rng(0)
    for before in range(0, 300, len(rows)):
        _keep(examples, rows, before, generator)
    assert len(examples) == kept


@pytest.mark.fast
def test_no_sample_is_in_both_splits_and_each_class_is_in_both():
    labels = np.repeat([0, 1, 2], [100, 10, 2])
    found = orders(labels)
    assert not set(found["train"]) & set(found["evaluation"])
    assert len(found["train"]) + len(found["evaluation"]) == 112
    assert np.bincount(labels[found["evaluation"]]).tolist() == [20, 2, 1]


@pytest.mark.fast
def test_rows_are_kept_apart_by_file_columns_and_version(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    np.savez(tmp_path / "a.npz", x=SIGNAL, ä=SIGNAL + 1, ö=SIGNAL + 2, y=LABELS, z=LABELS[::-1])
    names = [("x", "y"), ("ä", "y"), ("ö", "y"), ("x", "z"), ("x", None), (None, "y")]
    assert len(
        {UserData(UserFile(tmp_path / "a.npz", *columns)).folder for columns in names}
    ) == len(names)
    table = write(tmp_path / "a.csv", "1,2.5,1\n0,3.5,1\n1,4.5,0\n0,5.5,0\n1,2,1\n0,2,0\n")
    folders = [UserData(UserFile(table, label=label)).folder for label in ("0", "-1", "2")]
    monkeypatch.setattr(user_files, "VERSION", user_files.VERSION + 1)
    assert len({*folders, UserData(UserFile(table, label="0")).folder}) == 4


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("rows.f32", lambda content: bytes(len(content))),
        ("rows.f32", lambda content: content[:-4]),
        ("labels.npy", lambda content: content[:-8]),
        ("labels.npy", lambda content: content[:-8] + bytes(8)),
        ("scan.json", lambda content: b""),
        ("scan.json", lambda content: b"[]"),
    ],
)
def test_damaged_rows_are_made_again(folder, name, damage):
    def drawn():
        source = UserData(UserFile(folder / "one.npz"))
        return source.draw(source.spec, "train", 0, source.spec.train)

    before = drawn()
    path = UserData(UserFile(folder / "one.npz")).folder / name
    path.write_bytes(damage(path.read_bytes()))
    after = drawn()
    assert np.array_equal(before.signal, after.signal)
    assert np.array_equal(before.labels, after.labels)


def test_what_a_killed_process_left_of_rows_is_removed(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    left = tmp_path / "tf-port-bench" / ".rows-killed" / "made"
    left.mkdir(parents=True)
    (left / "rows.f32").write_bytes(bytes(100))
    source = UserData(UserFile(folder / "one.npz"))
    assert list(source.folder.parent.iterdir()) == [source.folder]


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.fast
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "1,2", "is no known format"),
        ("a.csv", "", "is empty"),
        ("a.csv", "x,z\n1,2\n", "does not say which is the label"),
        ("a.csv", "1,2,0\n3,4,1\n", "give the column of labels by its number"),
        ("a.csv", "x,label\n1,a\n,b\n", "is no table of numbers"),
        ("a.csv", "x,y,label\n1,2,a\n3,b\n", "is no table of numbers"),
        ("a.csv", "x,label\n1,a\n2\n", "has no label for sample 1"),
        ("a.csv", "x,label\n1,a\n2,b,c\n", "is no table of numbers"),
        ("a.csv", "x,label\n1,a\n2,a\n", "has one class only, 'a'"),
        ("a.csv", "x,label\ninf,a\n2,b\n", "has inf as value 0 of sample 0"),
        ("a.csv", "x,label\n1e300,a\n2,b\n", "fits into float32"),
        ("a.csv", b"\xff\xfe\x00", "is no text in UTF-8"),
        ("a.npz", "nothing", "is damaged, or no .npz file"),
        ("a.parquet", "nothing", "is damaged, or no Parquet file"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_line(tmp_path, name, content, message):
    with pytest.raises(UserError, match=message) as error:
        scan_file(UserFile(write(tmp_path / name, content)))
    assert "\n" not in str(error.value)
    assert name in str(error.value)


@pytest.mark.fast
@pytest.mark.parametrize(
    ("text", "label", "first", "classes"),
    [
        ("0.5,-1,2,-1\n1,2,3,1\n", "-1", [0.5, -1, 2], ["-1", "1"]),
        ("0.5,2,y\n1,3,n\n", "-1", [0.5, 2], ["n", "y"]),
        ("0,1,label\n5,6,a\n7,8,b\n", None, [5, 6], ["a", "b"]),
        (",0,1,kind\n9,5,6,a\n9,7,8,b\n", "kind", [9, 5, 6], ["a", "b"]),
        ("x,z,w\n5,6,a\n7,8,b\n", "2", [5, 6], ["a", "b"]),
        ("0,1,x\n5,6,y\n", "2", [0, 1], ["x", "y"]),
    ],
)
def test_a_first_line_of_csv_that_is_a_sample_stays_one(tmp_path, text, label, first, classes):
    table = UserFile(write(tmp_path / "a.csv", text), label=label)
    assert next(table.chunks()).signal[0].tolist() == first
    assert scan_file(table).classes == classes


@pytest.mark.fast
@pytest.mark.parametrize(
    ("text", "label", "message"),
    [
        ("0.5,y\n1,n\n", None, "its first holds numbers"),
        ("0,1,2\n3,4,5\n", "2", "begins with the numbers from 0"),
        ("0,y\n1,n\n2,y\n", "-1", "has the label 'y' in its first line and in others"),
        ("1," * 2**18 + "a\n", "-1", "has more than 262,144 columns"),
        ("1" * 2**23, "-1", "has a first line of more than 8 MiB"),
    ],
)
def test_a_first_line_of_csv_that_cannot_be_told_apart_or_held_is_refused(
    tmp_path, text, label, message
):
    with pytest.raises(UserError, match=message):
        scan_file(UserFile(write(tmp_path / "a.csv", text), label=label))


@pytest.mark.fast
@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"signal": SIGNAL, "label": LABELS[:5]}, "90 samples in 'signal', but 5 labels"),
        ({"signal": SIGNAL}, "does not say which is the label"),
        ({"signal": np.array([[{}]], object), "label": LABELS[:1]}, "Python objects"),
        ({"signal": np.asfortranarray(SIGNAL), "label": LABELS}, "column by column"),
        ({"signal": SIGNAL, "label": np.eye(3)[np.arange(90) % 3]}, "one a sample is needed"),
        (
            {"signal": SIGNAL.reshape(90, 7, 1, 1)[:, :, :, [0, 0]], "label": LABELS},
            r"\[samples, length\] is needed",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UserError, match=message):
        scan_file(UserFile(tmp_path / "a.npz"))


@pytest.mark.fast
def test_an_array_that_announces_more_than_it_holds_takes_no_memory(tmp_path):
    np.savez(tmp_path / "a.npz", signal=SIGNAL, label=LABELS)
    with (
        zipfile.ZipFile(tmp_path / "a.npz") as archive,
        zipfile.ZipFile(tmp_path / "b.npz", "w") as other,
    ):
        for name in archive.namelist():
            other.writestr(
                name, archive.read(name).replace(b"(90, 7), }         ", b"(90000000000, 7), }")
            )
    with pytest.raises(
        UserError, match=r"announces the shape \(90000000000, 7\), which is not what it holds"
    ):
        scan_file(UserFile(tmp_path / "b.npz"))


@pytest.mark.fast
def test_parquet_labels_that_are_lists_are_refused(tmp_path):
    pd.DataFrame({"signal": list(SIGNAL), "label": [[1], [2], [3]] * 30}).to_parquet(
        tmp_path / "a.parquet"
    )
    with pytest.raises(UserError, match=r"has labels 'label' of list<.*>; one a sample is needed"):
        scan_file(UserFile(tmp_path / "a.parquet", "signal", "label"))


@pytest.mark.fast
def test_an_npy_header_that_announces_gigabytes_is_not_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("signal.npy", "label.npy"):
            archive.writestr(
                name, b"\x93NUMPY\x02\x00" + (2**32 - 1).to_bytes(4, "little") + b" " * 2**20
            )
    with pytest.raises(
        UserError, match="has an array 'signal' with a header of more than 10,000 bytes"
    ):
        scan_file(UserFile(tmp_path / "a.npz"))


@pytest.mark.fast
def test_an_npy_of_version_2_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name, array in (("signal.npy", SIGNAL), ("label.npy", LABELS)):
            with archive.open(name, "w") as file:
                np.lib.format.write_array(file, array, (2, 0))
    assert scan_file(UserFile(tmp_path / "a.npz")).balance == [30, 30, 30]


def write_long_labels(folder, label):
    np.savez_compressed(
        folder / "a.npz", signal=np.zeros((40, 1), np.int8), label=np.array([label, "b"] * 20)
    )
    pd.DataFrame({"x": np.zeros(40), "label": [label, "b"] * 20}).to_parquet(folder / "a.parquet")
    (folder / "a.csv").write_text("x,label\n" + f"0,{label}\n0,b\n" * 20)


@pytest.mark.fast
@pytest.mark.parametrize("name", ["a.npz", "a.parquet", "a.csv"])
def test_a_label_is_read_to_its_bound(tmp_path, name):
    write_long_labels(tmp_path, "a" * 1000)
    assert scan_file(UserFile(tmp_path / name)).balance == [20, 20]
    write_long_labels(tmp_path, "a" * 1001)
    with pytest.raises(UserError, match=r"1,001 characters.*1,000 at most can be read"):
        scan_file(UserFile(tmp_path / name))


def write_repeated(folder, rows, length, label):
    """Small files whose content would be large."""
    labels = [label, "b"] * (rows // 2)
    np.savez_compressed(
        folder / "a.npz", signal=np.zeros((rows, length), np.float32), label=np.array(labels)
    )
    values = pa.DictionaryArray.from_arrays(np.zeros(rows * length, np.int32), pa.array([0.0]))
    signal = pa.FixedSizeListArray.from_arrays(values.dictionary_decode(), length)
    pq.write_table(pa.table({"signal": signal, "label": labels}), folder / "a.parquet")


@pytest.mark.parametrize(("rows", "length", "label"), [(20_000, 500, "a"), (40_000, 1, "a" * 900)])
@pytest.mark.parametrize("name", ["a.npz", "a.parquet"])
def test_a_small_file_gives_no_large_pieces(tmp_path, name, rows, length, label):
    write_repeated(tmp_path, rows, length, label)
    assert (tmp_path / name).stat().st_size < 2**19
    pieces = list(UserFile(tmp_path / name).chunks())
    assert sum(len(piece.labels) for piece in pieces) == rows
    assert (
        max(
            piece.signal.nbytes + (piece.labels.nbytes if name == "a.npz" else 0)
            for piece in pieces
        )
        <= CHUNK_BYTES
    )
    assert len({id(text) for text in pieces[0].labels}) <= 2 or name == "a.npz"


def test_records_of_another_length_than_the_first_are_not_gathered(tmp_path):
    """Refuses the second of three records before it reads the third, which is no example."""
    import tensorflow as tf

    write_rows(tmp_path / "a.tfrecord", [np.zeros(1, np.int16), np.zeros(1000, np.int16)])
    with tf.io.TFRecordWriter(str(tmp_path / "third")) as writer:
        writer.write(b"junk")
    with (tmp_path / "a.tfrecord").open("ab") as file:
        file.write((tmp_path / "third").read_bytes())
    with pytest.raises(UserError, match=r"a\.tfrecord, which has samples of 1 and of 1000 values"):
        scan_file(UserFile(tmp_path))


def test_records_are_gathered_by_their_bytes(tmp_path):
    write_rows(tmp_path / "a.tfrecord", [np.zeros(2**21, np.int16)] * 9)
    assert [len(piece.labels) for piece in UserFile(tmp_path).chunks()] == [4, 4, 1]


@pytest.mark.parametrize(
    ("announced", "message"),
    [(2**45, "is damaged or cut short"), (2**28 + 2**17, "has a record of 268,566,528 bytes")],
)
def test_a_record_that_announces_too_much_is_not_left_to_tensorflow(tmp_path, announced, message):
    path = tmp_path / "a.tfrecord"
    path.write_bytes(announced.to_bytes(8, "little"))
    os.truncate(path, 2**29)
    with pytest.raises(UserError, match=message):
        scan_file(UserFile(tmp_path))


def write_rows(path, rows):
    parts = []
    for number, row in enumerate(rows):
        shards.write_tfrecords(path, Samples(row[np.newaxis], np.array([number % 2])))
        parts.append(path.read_bytes())
    path.write_bytes(b"".join(parts))


@pytest.mark.parametrize(
    "text",
    ["x,label\n1,a\n" + " " * 2**27 + "1,b\n", "x,label\n" + ("1," + " " * 10_000 + "b\n") * 9000],
)
def test_lines_of_csv_are_read_to_their_bound(tmp_path, text):
    with pytest.raises(UserError, match="has lines of more than 32 characters a column"):
        scan_file(UserFile(write(tmp_path / "a.csv", text)))


def test_the_estimate_tells_what_freezes_from_what_does_not():
    """Compares with what training showed.

    `activated` freezes large in counts, but neither small nor large in mV.
    """
    steps = {}
    for name in ("small", "large"):
        examples = (
            Synthetic()
            .draw(QUICK_DATASETS[name], "train", 0, QUICK_DATASETS[name].train)
            .signal.astype(np.float32)
        )
        steps[name], steps[f"{name} in mV"] = logit_step(examples, 2), logit_step(examples / 200, 2)
    assert steps["small"] < SATURATED
    assert steps["large in mV"] < SATURATED < steps["large"] / 10


def test_inspect_prints_what_is_there_and_warns(tmp_path):
    signal = np.concatenate([SIGNAL, SIGNAL[:2], np.full((1, 7), 9)])
    np.savez(tmp_path / "a.npz", signal=signal, label=np.r_[np.zeros(90, int), 1, 1, 1])
    process = run_module("bench", "data", "inspect", tmp_path / "a.npz", "--json")
    found = json.loads(process.stdout)
    assert (found["samples"], found["length"], found["duplicates"], found["constant"]) == (
        93,
        7,
        2,
        1,
    )
    assert found["classes"] == {"0": 90, "1": 3}
    assert len(found["warnings"]) == 4
    text = run_module("bench", "data", "inspect", tmp_path / "a.npz").stdout
    assert "samples      93" in text
    assert "96.8% of the samples are of class 0" in text


def test_inspect_looks_into_records(tmp_path):
    write_record(tmp_path, "100")
    process = run_module("bench", "data", "inspect", tmp_path, "--length", "64")
    assert process.returncode == 0, process.stderr
    assert "length       64 values" in process.stdout
    assert "no SHA256SUMS.txt" in process.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "nowhere.csv"), "there is no such file or folder"),
        (("--data", "x.csv", "--records", "y"), "--records and --data exclude"),
        (("--positive", "V"), "--positive is for --data"),
        (("--data", "x.csv", "--at", "beats"), "--at is for WFDB records"),
        (("--data", "x.csv", "--samples", "10"), "--samples and --data exclude"),
    ],
)
def test_options_that_do_not_go_together_end_with_one_line(tmp_path, arguments, message):
    process = run_module("bench", "all", *arguments, "--out", tmp_path / "out")
    assert process.returncode == 2
    assert message in process.stderr
    assert process.stderr.count("\n") == 1
    assert not any((tmp_path / "out").glob("*.csv"))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("lowlevel", marks=pytest.mark.slow),
        pytest.param("estimator", marks=pytest.mark.slow),
        "keras",
    ],
)
def test_each_implementation_trains_on_one_value_of_five_classes(name, tmp_path):
    labels = np.arange(200) % 5
    np.savez(tmp_path / "five.npz", signal=(labels * 50.0 + 0.5)[:, None], label=labels)
    process = run_module(f"impl_{name}", "--data", tmp_path / "five.npz", "--epochs", 2)
    assert process.returncode == 0, process.stderr
    assert "epoch 2: {'global_step': 10" in process.stdout
    assert "no SHA256SUMS.txt beside it" in process.stdout + process.stderr


@pytest.mark.parametrize(("sums", "noted"), [(True, False), (False, True)])
def test_data_without_checksums_are_said_to_be_unprotected(tmp_path, sums, noted):
    path = tmp_path / "a.npz"
    np.savez(path, signal=SIGNAL, label=LABELS)
    if sums:
        (tmp_path / "SHA256SUMS.txt").write_text(f"{sha256(path)}  a.npz\n")
    process = run_module("bench", "data", "--data", path, "--picture", tmp_path / "samples.png")
    assert process.returncode == 0, process.stderr
    assert ("no SHA256SUMS.txt" in process.stdout) == noted


def scanned(*signals, labels="ab"):
    """A scan of pieces of samples; labels take turns."""
    return scan(
        Chunk(np.array(signal), np.resize(list(labels), len(signal)), 1.0) for signal in signals
    )


@pytest.mark.parametrize(
    ("low", "high", "values"),
    [
        (-32768, 32767, "int16"),
        (-32769, 0, "float32"),
        (0, 32768, "float32"),
        (0.5, 1, "float32"),
    ],
)
def test_whole_numbers_of_16_bits_are_stored_as_such(low, high, values):
    assert scanned([[low, 0], [0, high]]).values == values


def test_equal_and_constant_samples_are_counted():
    found = scanned([[1, 1, 1], [1, 2, 3], [0, 0, 0]], [[1, 2, 3], [1, 2, 3]])
    assert (found.constant, found.duplicates) == (2, 2)


def test_labels_are_classes_up_to_a_thousand():
    assert len(scanned(np.zeros((1000, 1)), labels=np.arange(1000)).classes) == 1000
    with pytest.raises(Unreadable, match="has more than 1,000 different labels"):
        scanned(np.zeros((1001, 1)), labels=np.arange(1001))


def test_examples_are_kept_with_equal_chances():
    """Of 5,000 samples, each of which holds its number."""
    kept = scanned(np.arange(5000.0).reshape(-1, 1)).examples[:, 0]
    assert len(set(kept)) == 256
    assert np.histogram(kept, bins=5, range=(0, 5000))[0].min() > 256 / 5 / 2


def test_a_value_that_is_missing_is_named_by_its_place_in_the_file():
    with pytest.raises(Unreadable, match="has nan as value 1 of sample 3 "):
        scanned([[1.0, 2.0], [1.0, 2.0]], [[1.0, 2.0], [1.0, np.nan]])


def test_labels_are_places_among_the_sorted_classes():
    found = scanned([[1], [2], [3]], labels=["b", "c", "a"])
    assert found.classes == ["a", "b", "c"]
    assert found.labels.tolist() == [1, 2, 0]


def test_a_class_of_a_single_sample_cannot_be_split(tmp_path):
    np.savez(tmp_path / "a.npz", signal=SIGNAL[:5], label=list("aabbc"))
    with pytest.raises(UserError, match="has a single sample of class 'c'"):
        UserData(UserFile(tmp_path / "a.npz"))
    np.savez(tmp_path / "a.npz", signal=SIGNAL[:6], label=list("aabbcc"))
    source = UserData(UserFile(tmp_path / "a.npz"))
    assert source.sizes(source.spec) == {"train": 3, "evaluation": 3}


@pytest.mark.parametrize(
    ("signal", "message"),
    [
        ([[1, 2], [3, 4, 5, 6]], "has samples of 2 and of 4 values in one file"),
        ([[1, 2], None], r"has missing values \(null\) in its signal"),
        ([[1, 2], [3, None]], "with 1 missing; numbers are needed"),
    ],
)
def test_parquet_lists_that_are_no_samples_of_one_length_are_refused(tmp_path, signal, message):
    pq.write_table(pa.table({"signal": signal, "label": ["a", "b"]}), tmp_path / "a.parquet")
    with pytest.raises(UserError, match=message):
        scan_file(UserFile(tmp_path / "a.parquet"))


def test_parquet_columns_of_one_name_are_refused(tmp_path):
    values = [pa.array([1.0, 2.0]), pa.array([3.0, 4.0]), pa.array(["a", "b"])]
    pq.write_table(pa.Table.from_arrays(values, ["x", "x", "label"]), tmp_path / "a.parquet")
    with pytest.raises(UserError, match="has two columns of one name"):
        scan_file(UserFile(tmp_path / "a.parquet"))


def test_parquet_rows_are_bounded_by_their_bytes(tmp_path, monkeypatch):
    table = pa.table({"signal": [[0.0] * 5000, [1.0] * 5000], "label": ["a", "b"]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert scan_file(UserFile(tmp_path / "a.parquet")).length == 5000
    monkeypatch.setattr(parquet, "MAX_ROW_BYTES", 8 * 5000)  # the label comes on top
    with pytest.raises(UserError, match=r"has rows of 40,\d\d\d bytes; 40,000 at most"):
        scan_file(UserFile(tmp_path / "a.parquet"))


def test_usual_names_are_tried_in_their_order(tmp_path):
    table = pa.table({"data": [[1.0], [2.0]], "signal": [[3.0], [4.0]], "label": ["a", "b"]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert next(UserFile(tmp_path / "a.parquet").chunks()).signal.tolist() == [[3], [4]]


@pytest.mark.parametrize(
    ("signal", "labels", "message"),
    [
        (b"\1\2\3\4", [b"a", b"b"], "has 2 labels 'label' in one example"),
        (b"\1\2\3\4", [], "has 0 labels 'label' in one example"),
        (b"\1\2\3", [b"a"], "neither numbers nor bytes of int16"),
    ],
)
def test_examples_that_are_no_samples_are_refused(tmp_path, signal, labels, message):
    import tensorflow as tf

    features = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
        for name, value in (("signal", [signal]), ("label", labels))
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        writer.write(example.SerializeToString())
    with pytest.raises(UserError, match=message):
        scan_file(UserFile(tmp_path))
