"""The standard network on tf.estimator: model_fn, input_fn, RunConfig, hooks, train_and_evaluate."""

from impl_estimator.train import train

__all__ = ["train"]
