import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import both_splits, run_module

from bench.data import shards, store
from bench.data.source import Samples, Spec
from bench.data.synthetic import Synthetic
from bench.task import UserError

SPEC = Spec("small", 130, train=48, evaluation=16)


@pytest.fixture
def cache_here(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def read_back(paths):
    import tensorflow as tf

    features = {
        "signal": tf.io.FixedLenFeature([], tf.string),
        "label": tf.io.FixedLenFeature([], tf.int64),
        "index": tf.io.FixedLenFeature([], tf.int64),
    }
    rows = [
        tf.io.parse_single_example(example, features) for example in tf.data.TFRecordDataset(paths)
    ]
    return (
        np.stack([np.frombuffer(row["signal"].numpy(), "<i2") for row in rows]),
        np.array([int(row["label"]) for row in rows]),
        np.array([int(row["index"]) for row in rows]),
    )


def test_samples_come_back_from_tfrecords_as_they_were(tmp_path):
    generator = np.random.default_rng(0)
    signal = generator.integers(-32768, 32768, (20, 130)).astype(np.int16)
    labels = generator.integers(0, 2, 20)
    shards.write_tfrecords(tmp_path / "samples.tfrecord", Samples(signal, labels))
    read_signal, read_labels, indices = read_back(str(tmp_path / "samples.tfrecord"))
    assert np.array_equal(read_signal, signal)
    assert np.array_equal(read_labels, labels)
    assert np.array_equal(indices, np.arange(20))


def test_a_made_dataset_is_found_again_and_holds_what_was_drawn(cache_here):
    assert store.open_dataset(Synthetic(), SPEC) is None
    made = store.make_dataset(Synthetic(), SPEC)
    found = store.open_dataset(Synthetic(), SPEC)
    train, evaluation = both_splits(Synthetic(), SPEC)
    assert found.digest == made.digest
    assert (found.train.samples, found.evaluation.samples) == (
        48,
        16,
    )
    assert np.array_equal(found.evaluation_labels, evaluation.labels)
    assert np.array_equal(found.probe.signal, train.signal[:32])
    assert found.probe.signal.dtype == np.float32
    assert np.array_equal(read_back(found.train.files)[0], train.signal)


@pytest.mark.fast
def test_another_recipe_has_another_folder(cache_here):
    folders = {
        store.folder_of(Synthetic(seed), spec)
        for seed in (0, 1)
        for spec in (SPEC, Spec("small", 130, 50, 16))
    }
    assert len(folders) == 4


def test_nothing_but_whole_datasets_is_left_in_the_cache(cache_here):
    dataset = store.make_dataset(Synthetic(), SPEC)
    Path(dataset.train.files[0]).unlink()
    assert store.make_dataset(Synthetic(), SPEC) is not None
    assert [path.name for path in store.cache_folder().iterdir()] == [
        Path(dataset.train.files[0]).parent.name
    ]


def test_who_waits_while_another_makes_the_same_takes_what_was_made(cache_here):
    shares = [[], []]
    with ThreadPoolExecutor() as pool:
        made = list(
            pool.map(lambda told: store.make_dataset(Synthetic(), SPEC, told.append), shares)
        )
    assert made[0].digest == made[1].digest
    assert sorted(map(len, shares)) == [0, 2]


@pytest.mark.parametrize(
    "name",
    [
        "train-00000-of-00001.tfrecord",
        "evaluation-00000-of-00001.tfrecord",
        "arrays.npz",
        "manifest.json",
    ],
)
def test_a_changed_or_shortened_file_is_noticed(cache_here, name):
    path = Path(store.make_dataset(Synthetic(), SPEC).train.files[0]).parent / name
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    assert store.open_dataset(Synthetic(), SPEC) is None
    path.write_bytes(content)
    assert store.open_dataset(Synthetic(), SPEC) is not None
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    path.write_bytes(flipped)
    assert name == "manifest.json" or store.open_dataset(Synthetic(), SPEC) is None


@pytest.mark.fast
def test_a_cache_that_cannot_be_written_is_a_users_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match="cannot write the dataset"):
        store.make_dataset(Synthetic(), SPEC)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system takes root")
def test_a_full_disk_ends_with_one_line_and_code_2_and_leaves_nothing(tmp_path):
    mount = tmp_path / "small-disk"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", mount], check=True)
    try:
        process = run_module(
            "bench",
            "data",
            "--dataset",
            "small",
            "--picture",
            tmp_path / "samples.png",
            env={**os.environ, "XDG_CACHE_HOME": str(mount)},
        )
        assert process.returncode == 2
        assert "cannot write the dataset" in process.stderr
        assert process.stderr.count("\n") == 1
        assert list(mount.glob("tf-port-bench/*")) == []
    finally:
        subprocess.run(["umount", mount], check=True)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"length": 131},
        {"train": 47},
        {"evaluation": 15},
        {"classes": 3},
        {"values": "float32"},
        {"shard_bytes": 2**20},
    ],
)
def test_all_of_a_dataset_is_in_its_fingerprint(change):
    assert store.folder_of(Synthetic(), replace(SPEC, **change)) != store.folder_of(
        Synthetic(), SPEC
    )
