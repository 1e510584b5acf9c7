"""Large datasets: all cores make their shards, an attempt goes on, and training streams them."""

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import slow_after
from test_store import read_back

from bench.data import store
from bench.data.noise import noise_dataset
from bench.data.shards import read_shard_summary, shards_of, write_shard
from bench.data.source import Samples, Spec
from bench.data.synthetic import Synthetic
from bench.implementations import IMPLEMENTATIONS, load_train
from bench.process.group import call_in_child
from bench.task import SHUFFLE_BYTES, Task, UserError

SPEC = Spec("small", 130, train=100, evaluation=30, shard_bytes=40 * 260)


@dataclass(frozen=True)
class Breaks:
    """The synthetic source; it draws all samples only while a file is there."""

    file: Path
    name: str = "synthetic"

    def dataset_parameters(self, spec):
        return {"source": "breaks"}

    def sizes(self, spec):
        return Synthetic().sizes(spec)

    def draw(self, spec, split, start, stop) -> Samples:
        if start == 80 and not self.file.exists():
            raise UserError("the source ran dry")
        return Synthetic().draw(spec, split, start, stop)


@pytest.fixture
def cache_here(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_a_split_of_several_shards_holds_them_in_their_order(cache_here):
    shares = []
    dataset = store.make_dataset(Synthetic(), SPEC, shares.append)
    assert [Path(file).name for file in dataset.train.files] == [
        f"train-{number:05}-of-00003.tfrecord" for number in range(3)
    ]
    assert len(dataset.evaluation.files) == 1
    assert dataset.evaluation.samples == 30
    assert len(dataset.evaluation_labels) == 30
    assert sorted(shares) == shares
    assert shares[-1] == 1
    assert len(shares) == 4


def test_making_goes_on_where_it_stopped(cache_here):
    source = Breaks(cache_here / "now")
    with pytest.raises(UserError, match="ran dry"):
        store.make_dataset(source, SPEC)
    (making,) = [path for path in store.cache_folder().iterdir() if path.name.startswith(".")]
    before = {path.name: path.stat().st_mtime_ns for path in making.glob("*.tfrecord")}
    assert before
    assert not list(making.glob("*.part"))
    source.file.touch()
    dataset = store.make_dataset(source, SPEC)
    folder = Path(dataset.train.files[0]).parent
    assert {name: (folder / name).stat().st_mtime_ns for name in before} == before
    assert not making.exists()
    assert len(list(folder.iterdir())) == 6


def test_a_shard_that_was_damaged_meanwhile_is_made_again(cache_here):
    source = Breaks(cache_here / "now")
    with pytest.raises(UserError):
        store.make_dataset(source, SPEC)
    (making,) = [path for path in store.cache_folder().iterdir() if path.name.startswith(".")]
    first = sorted(making.glob("*.tfrecord"))[0]
    first.write_bytes(first.read_bytes()[:-1])
    source.file.touch()
    assert store.make_dataset(source, SPEC).train.samples == 100


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: bytes(len(content)),
    ],
)
def test_a_shard_whose_side_file_is_empty_or_cut_is_made_again(cache_here, damage):
    source = Breaks(cache_here / "now")
    with pytest.raises(UserError):
        store.make_dataset(source, SPEC)
    side = sorted(store.cache_folder().glob(".*/*.npz"))[0]
    side.write_bytes(damage(side.read_bytes()))
    source.file.touch()
    assert store.make_dataset(source, SPEC).train.samples == 100


def test_the_side_file_of_a_shard_has_its_name_once_it_is_whole(cache_here, monkeypatch):
    """Ends the process while the side file is written, as a kill would."""

    def killed(file, **arrays):
        raise SystemExit

    monkeypatch.setattr(np, "savez", killed)
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok: None)
    with pytest.raises(SystemExit):
        write_shard(
            Synthetic(), SPEC, shards_of(SPEC, {"train": 100, "evaluation": 30})[0], cache_here
        )
    assert {path.suffix for path in cache_here.iterdir()} == {".part"}


def test_a_disk_without_room_is_told_before_anything_is_written(cache_here):
    with pytest.raises(UserError, match="MiB are free"):
        store.make_dataset(Synthetic(), replace(SPEC, train=10**12))
    assert not list(store.cache_folder().iterdir())


LENGTH = 16_384
HELD = SHUFFLE_BYTES // (2 * LENGTH)


class TurnsDone(BaseException):
    """Ends a training."""


class Stops:
    """An observer that ends the training after so many steps."""

    def __init__(self, steps: int):
        self.left = steps

    def begin(self):
        pass

    def step(self, loss, steps=1):
        self.left -= steps
        if self.left <= 0:
            raise TurnsDone

    def evaluation(self, evaluation, probe):
        pass


def peak_mib(module: str, profile: str, dataset, folder: Path) -> float:
    """Returns the peak memory of this process, in MiB, after a training of 100 steps."""
    import resource

    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    with suppress(TurnsDone):
        load_train(module, profile)(Task(dataset, "logits", 0, 10, folder), Stops(100))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.fixture(scope="module")
def sizes(tmp_path_factory):
    """Makes a dataset that just fits into the shuffle buffer, and one ten times as large."""
    folder = tmp_path_factory.mktemp("noise")
    return [
        noise_dataset(f"noise{factor}", LENGTH, factor * HELD, 32, folder) for factor in (1, 10)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("profile", slow_after(1, ["default", "tuned"]))
@pytest.mark.parametrize("name", slow_after(1, IMPLEMENTATIONS))
def test_ten_times_the_data_takes_less_than_a_fifth_more_memory(sizes, name, profile, tmp_path):
    assert [Task(dataset, "logits", 0, 1, tmp_path).fits_in_memory for dataset in sizes] == [
        True,
        False,
    ]
    peaks = []
    for number, dataset in enumerate(sizes):
        (tmp_path / str(number)).mkdir()
        peaks.append(
            call_in_child(peak_mib, IMPLEMENTATIONS[name], profile, dataset, tmp_path / str(number))
        )
    assert peaks[1] < 1.2 * peaks[0], peaks


def test_the_shuffle_holds_a_bounded_number_of_samples(sizes, tmp_path):
    small, large = (Task(dataset, "logits", 0, 1, tmp_path) for dataset in sizes)
    assert small.shuffle_buffer == small.dataset.train.samples == large.shuffle_buffer
    long = replace(small.dataset, length=2**30)
    assert Task(long, "logits", 0, 1, tmp_path).shuffle_buffer == 32
    assert np.dtype(long.values).itemsize == 2


def test_shards_are_whole_but_for_the_last_of_a_split():
    shards = shards_of(SPEC, {"train": 100, "evaluation": 30})
    assert [(shard.split, shard.start, shard.stop) for shard in shards] == [
        ("train", 0, 40),
        ("train", 40, 80),
        ("train", 80, 100),
        ("evaluation", 0, 30),
    ]


def test_a_shard_numbers_its_samples_by_their_split_and_only_the_first_keeps_a_batch(tmp_path):
    first, second, _, evaluation = shards_of(SPEC, {"train": 100, "evaluation": 30})
    for shard in (first, second, evaluation):
        write_shard(Synthetic(), SPEC, shard, tmp_path)
    heads = [
        len(read_shard_summary(tmp_path, shard).first_batch)
        for shard in (first, second, evaluation)
    ]
    assert heads == [32, 0, 0]
    assert read_back(str(tmp_path / second.name))[2].tolist() == list(range(40, 80))


def test_an_attempt_that_goes_on_needs_room_for_what_is_missing_alone(tmp_path, monkeypatch):
    (tmp_path / "made").write_bytes(bytes(1000))
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=500))
    store._check_space(1500, tmp_path)
    with pytest.raises(UserError, match="MiB are free"):
        store._check_space(1501, tmp_path)
