"""The standard network on tf.estimator: model_fn, input_fn, RunConfig, hooks, train_and_evaluate."""
