"""Whether a training learnt anything."""

from __future__ import annotations

import numpy as np

from bench.diagnose.training_record import TrainingRecord

NOT_LEARNT = 0.8
"""Final loss over the entropy of the labels above which a training has not learnt.

Predicting the shares of the classes gives 1. Frozen trainings measured 1.0 to 1.2, sound ones below
0.6.
"""

LEARNT = 0.5
"""Share of the gain over always predicting one class above which a training has learnt.

Sound trainings measured 0.58 (batch normalisation, large) to 1.
"""

NEAR_CHANCE = 0.3
"""Share of the gain over always predicting the most frequent class below which nothing is learnt.

For two balanced classes that is an accuracy of 0.65.
"""


def has_learnt(record: TrainingRecord) -> bool:
    """Returns whether a training learnt.

    It did if its accuracy is far above that of always predicting one class. It also did if its
    accuracy is somewhat above, and its loss fell below that of predicting the classes' shares.
    """
    if not np.isfinite(record.last_losses).all():
        return False
    gained = record.gained
    if record.regression:
        return gained is not None and gained > NEAR_CHANCE
    baseline = record.losses[0] if record.entropy is None else record.entropy
    fell = float(record.last_losses.mean()) < NOT_LEARNT * baseline
    return fell if gained is None else gained > LEARNT or (fell and gained > NEAR_CHANCE)
