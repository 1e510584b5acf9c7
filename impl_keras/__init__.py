"""The standard network on tf.keras: layers, compile, fit, evaluate, callbacks."""

from impl_keras.train import train

__all__ = ["train"]
