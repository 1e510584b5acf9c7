"""The order of the samples received: over two epochs, within batches, and by label."""

from __future__ import annotations

import numpy as np

from bench.parity.port import Received


def epochs_of(received: Received) -> tuple[list[str], list[str]]:
    """Returns the digests of the first and of the second epoch, in order."""
    half = len(received.digests) // 2
    return received.digests[:half], received.digests[half : 2 * half]


def passes_of(received: Received) -> tuple[list[str], list[str]]:
    """Returns the first two passes over the data.

    A pass has as many samples as there are different ones.
    """
    length = len(set(received.digests))
    return received.digests[:length], received.digests[length : 2 * length]


def neighbours(received: Received) -> float:
    """Returns the share of batches that occur again with the same samples."""
    ends = np.cumsum(received.sizes)
    batches = [
        frozenset(received.digests[end - size : end]) for end, size in zip(ends, received.sizes)
    ]
    counts: dict[frozenset, int] = {}
    for batch in batches:
        counts[batch] = counts.get(batch, 0) + 1
    return float(np.mean([counts[batch] > 1 for batch in batches]))


def runs_of_labels(received: Received) -> tuple[float, float]:
    """Returns how often the label changes from one sample to the next, and a lower limit for it.

    The first value is the share of samples whose label differs from that of the sample before. The
    second is the smallest share that a random order is likely to have: its mean minus five standard
    deviations (Wald and Wolfowitz 1940, Ann. Math. Stat. 11:147, for two classes).
    """
    labels = received.labels.reshape(len(received.labels), -1)[:, 0]
    changes = float(np.mean(labels[1:] != labels[:-1]))
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    expected = 1 - float(np.square(shares).sum())
    return changes, expected - 5 * np.sqrt(expected * (1 - expected) / len(labels))
