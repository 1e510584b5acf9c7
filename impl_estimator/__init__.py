"""The standard network on tf.estimator: model_fn, RunConfig, hooks, train_and_evaluate."""
