"""The standard network on tf.compat.v1: variables, ops, sessions and a hand-written loop."""

from impl_lowlevel.train import train

__all__ = ["train"]
