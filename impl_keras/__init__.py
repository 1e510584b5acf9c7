"""The standard network on tf.keras: layers, compile, fit, evaluate, callbacks."""
