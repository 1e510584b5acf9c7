"""Whether a training learnt."""

from __future__ import annotations

import numpy as np

from bench.diagnose.training_record import TrainingRecord

NOT_LEARNT = 0.8
"""Of the entropy of the labels: a loss above it is next to predicting their shares. Frozen trainings measured 1.0 to 1.2,
sound ones below 0.6."""

LEARNT = 0.5
"""Of what can be gained over always predicting one class: sound trainings measured 0.58 (batch normalisation, large) to 1."""

NEAR_CHANCE = 0.3
"""Of what can be gained over always predicting the most frequent class: less is no learning. Of two balanced classes, an accuracy
of 0.65."""


def learnt(watched: TrainingRecord) -> bool:
    """Whether its accuracy rose far above that of always predicting one class, or somewhat and its losses fell below what
    knowing the classes' shares gives."""
    if not np.isfinite(watched.last_losses).all():
        return False
    gained = watched.gained
    if watched.regression:
        return gained is not None and gained > NEAR_CHANCE
    baseline = watched.losses[0] if watched.entropy is None else watched.entropy
    fell = float(watched.last_losses.mean()) < NOT_LEARNT * baseline
    return fell if gained is None else gained > LEARNT or (fell and gained > NEAR_CHANCE)
