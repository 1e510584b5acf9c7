import numpy as np
import pytest
from conftest import both_splits

from bench.data import ecg
from bench.data.source import QUICK_DATASETS, Spec
from bench.data.synthetic import Synthetic

pytestmark = pytest.mark.fast


class NoVariation:
    """A generator that always draws the middle of a range."""

    def uniform(self, low, high, size=None):
        return np.broadcast_to(
            (np.asarray(low) + np.asarray(high)) / 2, size if size is not None else np.shape(low)
        )


def test_a_normal_beat_is_the_sum_of_its_five_gaussians():
    times = np.array([[0.0, -0.170, 0.280]])
    waveform = ecg.beat_waveforms(times, ecg.NORMAL, NoVariation())[0]
    expected = [
        sum(a * np.exp(-0.5 * ((t - c) / s) ** 2) for a, c, s in ecg.NORMAL) for t in (0, -170, 280)
    ]
    assert waveform == pytest.approx(expected)
    assert waveform[1] == pytest.approx(0.15, abs=1e-6)


@pytest.mark.parametrize("name", ["small", "large"])
def test_splits_are_balanced_and_of_the_right_size(name):
    spec = QUICK_DATASETS[name]
    train, evaluation = both_splits(Synthetic(), spec)
    for split, samples in ((train, spec.train), (evaluation, spec.evaluation)):
        assert split.signal.shape == (samples, spec.length)
        assert split.signal.dtype == np.int16
        assert split.labels.mean() == 0.5


def test_the_same_seed_gives_the_same_samples_and_another_one_others():
    spec = QUICK_DATASETS["small"]
    first, again, other = (both_splits(Synthetic(seed), spec)[0] for seed in (0, 0, 1))
    assert np.array_equal(first.signal, again.signal)
    assert np.array_equal(first.labels, again.labels)
    assert not np.array_equal(first.signal, other.signal)


def test_no_sample_of_the_evaluation_is_in_the_training():
    train, evaluation = both_splits(Synthetic(), QUICK_DATASETS["small"])
    seen = {row.tobytes() for row in train.signal}
    assert not any(row.tobytes() in seen for row in evaluation.signal)


@pytest.mark.parametrize("seed", range(20))
def test_a_premature_beat_comes_early_and_a_pause_follows(seed):
    times, premature = ecg.draw_rhythm(167, True, np.random.default_rng(seed))
    assert premature.sum() >= 3
    intervals = np.diff(times)
    regular = np.median(intervals[~premature[1:]])
    early = np.flatnonzero(premature[1:-1]) + 1
    assert np.all((intervals[early - 1] / regular > 0.45) & (intervals[early - 1] / regular < 0.85))
    assert np.all(intervals[early] > 1.1 * regular)


def test_a_strip_without_premature_beats_has_none():
    _, premature = ecg.draw_rhythm(167, False, np.random.default_rng(0))
    assert not premature.any()


def test_an_odd_number_of_samples_can_be_drawn():
    train, _ = both_splits(Synthetic(), Spec("small", 130, train=45, evaluation=10))
    assert len(train.labels) == 45


def test_a_larger_set_of_several_shards_begins_with_the_samples_of_one_and_goes_on_with_others():
    spec = Spec("small", 130, train=100, evaluation=10, shard_bytes=40 * 260)
    parts = [Synthetic().draw(spec, "train", start, min(start + 40, 100)) for start in (0, 40, 80)]
    alone = Synthetic().draw(Spec("small", 130, train=40, evaluation=10), "train", 0, 40)
    assert np.array_equal(parts[0].signal, alone.signal)
    assert [len(part.labels) for part in parts] == [40, 40, 20]
    assert all(part.labels.mean() == 0.5 for part in parts)
    assert len({row.tobytes() for part in parts for row in part.signal}) == 100
