"""The learning rate of a Keras optimizer, read at any step and changed for single steps."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


class AdjustableRate:
    """Reads an optimizer's learning rate at any step. `with rate(factor):` multiplies it for the
    steps of a block."""

    def __init__(self, optimizer):
        self._optimizer = optimizer
        legacy = isinstance(optimizer, tf.keras.optimizers.legacy.Optimizer)
        rate = optimizer._hyper.get("learning_rate") if legacy else optimizer._learning_rate
        self._schedule = (
            rate if isinstance(rate, tf.keras.optimizers.schedules.LearningRateSchedule) else None
        )
        self._factor = 1.0
        if self._schedule is not None:
            self._scale = tf.Variable(1.0, trainable=False)
            scaled = _Scaled(self._schedule, self._scale)
            if legacy:
                optimizer._hyper["learning_rate"] = scaled
            else:
                optimizer._learning_rate = scaled

    def __call__(self, factor: float) -> AdjustableRate:
        self._factor = factor
        return self

    def __enter__(self) -> None:
        if self._factor != 1.0:
            self._before = self.now()
            self._set(self._factor)

    def __exit__(self, *exception) -> None:
        if self._factor != 1.0:
            self._set(None)

    def now(self) -> np.float32:
        """Returns the learning rate of the next step."""
        if self._schedule is not None:
            return np.float32(self._schedule(self._optimizer.iterations))
        return np.float32(tf.keras.backend.get_value(self._optimizer.learning_rate))

    def at(self, steps: list[int]) -> np.ndarray:
        """Returns the learning rates after so many steps, float32 [steps]."""
        if self._schedule is None:
            return np.full(len(steps), self.now())
        return np.array([self._schedule(tf.constant(step, tf.int64)) for step in steps], np.float32)

    def _set(self, factor: float | None) -> None:
        if self._schedule is not None:
            self._scale.assign(1.0 if factor is None else factor)
        else:
            value = self._before if factor is None else self._before * np.float32(factor)
            self._optimizer.learning_rate.assign(value)


class _Scaled(tf.keras.optimizers.schedules.LearningRateSchedule):
    """Multiplies a schedule by a variable."""

    def __init__(self, schedule, scale: tf.Variable):
        self.schedule, self.scale = schedule, scale

    def __call__(self, step):
        rate = self.schedule(step)
        return rate * tf.cast(self.scale, rate.dtype)

    def get_config(self):
        return self.schedule.get_config()
