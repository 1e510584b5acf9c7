"""The standard network on tf.compat.v1: variables, ops, sessions and a hand-written loop."""
