"""Data of one's own: every format, any length, any number of classes."""

import json

import numpy as np
import pandas as pd
import pytest
from conftest import run_module, write_record

from bench.data.estimate import SATURATED, logit_step
from bench.data.own import OwnData, OwnFile, orders, scan_file
from bench.data.shards import sha256
from bench.data.source import QUICK_DATASETS, SPLITS
from bench.data.store import make_dataset
from bench.data.synthetic import Synthetic
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
    pd.DataFrame({"beat": list(SIGNAL.astype(np.float32)), "kind": LABELS}).to_parquet(folder / "lists.parquet")
    write_examples(folder / "records", "signal", "label")
    write_examples(folder / "renamed", "ecg", "kind", as_floats=True)
    return folder


def write_examples(folder, signal_name, label_name, as_floats=False):
    import tensorflow as tf

    def example(row, label):
        signal = (tf.train.Feature(float_list=tf.train.FloatList(value=row)) if as_floats else
                  tf.train.Feature(bytes_list=tf.train.BytesList(value=[row.astype("<i2").tobytes()])))
        label = tf.train.Feature(bytes_list=tf.train.BytesList(value=[label.encode()]))
        return tf.train.Example(features=tf.train.Features(feature={signal_name: signal, label_name: label})).SerializeToString()

    folder.mkdir()
    for number, rows in enumerate(np.array_split(np.arange(len(SIGNAL)), 3)):
        with tf.io.TFRecordWriter(str(folder / f"part-{number}.tfrecord")) as writer:
            for row in rows:
                writer.write(example(SIGNAL[row], LABELS[row]))


@pytest.mark.parametrize("name, names", [
    ("one.npz", {}), ("named.csv", {}), ("bare.csv", {"label": "-1"}), ("bare.csv", {"label": "7"}), ("semicolons.csv", {}),
    ("columns.parquet", {}), ("lists.parquet", {"label": "kind"}), ("records", {}), ("renamed", {"signal": "ecg", "label": "kind"})])
def test_every_format_gives_the_same_samples(folder, name, names):
    own = OwnFile(folder / name, **names)
    found = scan_file(own)
    assert (found.length, found.classes, found.balance, found.values) == (7, IN_ORDER, [30, 30, 30], "int16")
    assert (found.low, found.high) == (SIGNAL.min(), SIGNAL.max())
    source = OwnData(own)
    drawn = [source.draw(source.spec, split, 0, source.sizes(source.spec)[split]) for split in SPLITS]
    assert [len(samples.labels) for samples in drawn] == [72, 18]
    assert all(np.array_equal(np.bincount(samples.labels), [len(samples.labels) // 3] * 3) for samples in drawn)
    seen = {(row.tobytes(), IN_ORDER[label]) for samples in drawn for row, label in zip(samples.signal, samples.labels)}
    assert seen == {(row.tobytes(), label) for row, label in zip(SIGNAL, LABELS)}


def test_fractions_and_large_numbers_are_stored_as_float32(tmp_path):
    for name, signal in (("fractions", SIGNAL / 8), ("large", SIGNAL.astype(np.int32) * 1000)):
        np.savez(tmp_path / f"{name}.npz", signal=signal, label=LABELS)
        source = OwnData(OwnFile(tmp_path / f"{name}.npz"))
        assert source.spec.values == "float32"
        dataset = make_dataset(source, source.spec)
        assert dataset.values == "float32" and set(np.unique(dataset.probe.signal)) <= set(signal.astype(np.float32).ravel())


def test_no_sample_is_in_both_splits_and_each_class_is_in_both():
    labels = np.repeat([0, 1, 2], [100, 10, 2])
    found = orders(labels)
    assert not set(found["train"]) & set(found["evaluation"]) and len(found["train"]) + len(found["evaluation"]) == 112
    assert np.bincount(labels[found["evaluation"]]).tolist() == [20, 2, 1]


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("name, content, message", [
    ("a.txt", "1,2", "is no known format"), ("a.csv", "", "is empty"), ("a.csv", "x,z\n1,2\n", "does not say which is the label"),
    ("a.csv", "1,2,0\n3,4,1\n", "give the column of labels by its number"),
    ("a.csv", "x,label\n1,a\n,b\n", "is no table of numbers"), ("a.csv", "x,y,label\n1,2,a\n3,b\n", "is no table of numbers"),
    ("a.csv", "x,label\n1,a\n2\n", "has no label for sample 1"), ("a.csv", "x,label\n1,a\n2,b,c\n", "is no table of numbers"),
    ("a.csv", "x,label\n1,a\n2,a\n", "has one class only, 'a'"), ("a.csv", "x,label\ninf,a\n2,b\n", "has inf as value 0 of sample 0"),
    ("a.csv", "x,label\n1e300,a\n2,b\n", "fits into float32"), ("a.csv", b"\xff\xfe\x00", "is no text in UTF-8"),
    ("a.npz", "nothing", "is damaged, or no .npz file"), ("a.parquet", "nothing", "is damaged, or no Parquet file")])
def test_what_cannot_be_used_is_named_in_one_line(tmp_path, name, content, message):
    with pytest.raises(UserError, match=message) as error:
        scan_file(OwnFile(write(tmp_path / name, content)))
    assert "\n" not in str(error.value) and name in str(error.value)


@pytest.mark.parametrize("arrays, message", [
    ({"signal": SIGNAL, "label": LABELS[:5]}, "90 samples in 'signal', but 5 labels"), ({"signal": SIGNAL}, "does not say which is the label"),
    ({"signal": np.array([[{}]], object), "label": LABELS[:1]}, "Python objects"),
    ({"signal": np.asfortranarray(SIGNAL), "label": LABELS}, "column by column"),
    ({"signal": SIGNAL, "label": np.eye(3)[np.arange(90) % 3]}, "one a sample is needed"),
    ({"signal": SIGNAL.reshape(90, 7, 1, 1)[:, :, :, [0, 0]], "label": LABELS}, r"\[samples, length\] is needed")])
def test_arrays_that_do_not_fit_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UserError, match=message):
        scan_file(OwnFile(tmp_path / "a.npz"))


def test_an_array_that_announces_more_than_it_holds_takes_no_memory(tmp_path):
    import zipfile

    np.savez(tmp_path / "a.npz", signal=SIGNAL, label=LABELS)
    with zipfile.ZipFile(tmp_path / "a.npz") as archive, zipfile.ZipFile(tmp_path / "b.npz", "w") as other:
        for name in archive.namelist():
            other.writestr(name, archive.read(name).replace(b"(90, 7), }         ", b"(90000000000, 7), }"))
    with pytest.raises(UserError, match=r"announces the shape \(90000000000, 7\), which is not what it holds"):
        scan_file(OwnFile(tmp_path / "b.npz"))


def test_the_estimate_tells_what_freezes_from_what_does_not():
    """Known from training: `activated` freezes large in counts, but neither small nor large in mV."""
    steps = {}
    for name in ("small", "large"):
        examples = Synthetic().draw(QUICK_DATASETS[name], "train", 0, QUICK_DATASETS[name].train).signal.astype(np.float32)
        steps[name], steps[f"{name} in mV"] = logit_step(examples, 2), logit_step(examples / 200, 2)
    assert steps["small"] < SATURATED and steps["large in mV"] < SATURATED < steps["large"] / 10


def test_inspect_prints_what_is_there_and_warns(tmp_path):
    signal = np.concatenate([SIGNAL, SIGNAL[:2], np.full((1, 7), 9)])
    np.savez(tmp_path / "a.npz", signal=signal, label=np.r_[np.zeros(90, int), 1, 1, 1])
    process = run_module("bench", "data", "inspect", tmp_path / "a.npz", "--json")
    found = json.loads(process.stdout)
    assert (found["samples"], found["length"], found["duplicates"], found["constant"]) == (93, 7, 2, 1)
    assert found["classes"] == {"0": 90, "1": 3} and len(found["warnings"]) == 4
    text = run_module("bench", "data", "inspect", tmp_path / "a.npz").stdout
    assert "samples      93" in text and "96.8% of the samples are of class 0" in text


def test_inspect_looks_into_records(tmp_path):
    write_record(tmp_path, "100")
    process = run_module("bench", "data", "inspect", tmp_path, "--length", "64")
    assert process.returncode == 0, process.stderr
    assert "length       64 values" in process.stdout and "no SHA256SUMS.txt" in process.stdout


@pytest.mark.parametrize("arguments, message", [
    (("--data", "nowhere.csv"), "there is no such file or folder"), (("--data", "x.csv", "--records", "y"), "--records and --data exclude"),
    (("--positive", "V"), "--positive is for --data"), (("--data", "x.csv", "--at", "beats"), "--at is for WFDB records"),
    (("--data", "x.csv", "--samples", "10"), "--samples and --data exclude")])
def test_options_that_do_not_go_together_end_with_one_line(tmp_path, arguments, message):
    process = run_module("bench", "all", *arguments, "--out", tmp_path / "out")
    assert process.returncode == 2 and message in process.stderr and process.stderr.count("\n") == 1
    assert not any((tmp_path / "out").glob("*.csv"))


@pytest.mark.parametrize("name", ["lowlevel", "estimator", "keras"])
def test_each_implementation_trains_on_one_value_of_five_classes(name, tmp_path):
    labels = np.arange(200) % 5
    np.savez(tmp_path / "five.npz", signal=(labels * 50.0 + 0.5)[:, None], label=labels)
    process = run_module(f"impl_{name}", "--data", tmp_path / "five.npz", "--epochs", 2)
    assert process.returncode == 0, process.stderr
    assert "epoch 2: {'global_step': 10" in process.stdout and "no SHA256SUMS.txt beside it" in process.stdout + process.stderr


@pytest.mark.parametrize("sums, noted", [(True, False), (False, True)])
def test_data_without_checksums_are_said_to_be_unprotected(tmp_path, sums, noted):
    path = tmp_path / "a.npz"
    np.savez(path, signal=SIGNAL, label=LABELS)
    if sums:
        (tmp_path / "SHA256SUMS.txt").write_text(f"{sha256(path)}  a.npz\n")
    process = run_module("bench", "data", "--data", path, "--picture", tmp_path / "samples.png")
    assert process.returncode == 0 and ("no SHA256SUMS.txt" in process.stdout) == noted, process.stderr
