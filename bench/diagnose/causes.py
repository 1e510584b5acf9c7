"""Causes by name: what each says, how it is cured, and which names in a port's source to look at."""

from __future__ import annotations

from dataclasses import dataclass

from bench.parity.result import Explanation


@dataclass(frozen=True)
class Cause:
    """`title` and `cure` in a sentence each; `names` are identifiers that the lines to change are likely to have."""

    title: str
    cure: str
    names: tuple[str, ...] = ()


_CROSS_ENTROPIES = (
    "SparseCategoricalCrossentropy",
    "CategoricalCrossentropy",
    "BinaryCrossentropy",
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "binary_crossentropy",
    "sparse_softmax_cross_entropy_with_logits",
    "softmax_cross_entropy_with_logits",
    "softmax_cross_entropy_with_logits_v2",
    "sparse_softmax_cross_entropy",
    "softmax_cross_entropy",
    "sigmoid_cross_entropy_with_logits",
    "log",
    "compile",
)

CAUSES = {
    "activated_outputs": Cause(
        "activated outputs go into a loss that takes logits",
        "hand the outputs of the last layer to the loss without an activation (or use a loss of probabilities)",
        ("sigmoid", "softmax", "activation", "from_logits"),
    ),
    "loss_of_hidden_logits": Cause(
        "the loss is not that of the predictions: Keras took the logits back from behind a sigmoid or softmax given as a string",
        "leave the last layer's activation out, and apply it to predictions",
        ("activation", "from_logits"),
    ),
    "probabilities_expected": Cause(
        "raw outputs go into a loss that takes probabilities",
        "use a loss of logits (from_logits=True), or put a softmax or sigmoid before it",
        _CROSS_ENTROPIES,
    ),
    "log_of_zero": Cause(
        "the loss takes the logarithm of a probability that reaches 0",
        "use a cross-entropy of logits, which computes logarithm and softmax at once",
        ("log",),
    ),
    "swapped_arguments": Cause(
        "labels and outputs stand in each other's place in the loss",
        "swap them; name them where they are passed (labels=, logits=)",
        _CROSS_ENTROPIES,
    ),
    "broadcast_labels": Cause(
        "labels are broadcast over the outputs of a sample",
        "use the sparse cross-entropy for whole-number labels, or one_hot them",
        _CROSS_ENTROPIES,
    ),
    "shifted_labels": Cause(
        "labels are off by one: a class has no row of one_hot",
        "count the classes from 0, once",
        ("one_hot", "label", "labels"),
    ),
    "other_labels": Cause(
        "the ports train on other labels",
        "compare how the labels are read and mapped",
        ("label", "labels", "one_hot"),
    ),
    "other_loss": Cause(
        "the ports compute different losses", "use the reference's loss", _CROSS_ENTROPIES
    ),
    "sum_for_mean": Cause(
        "the samples' losses are added up where they were averaged, so that the gradient is as many times as large",
        "average over the batch, or divide the learning rate by the batch size",
        ("reduction", "reduce_sum", "Reduction", "SUM"),
    ),
    "mean_over_nonzero": Cause(
        "a weighted loss is divided by the number of non-zero weights where it was divided by the number of samples",
        "give both the same reduction (tf.losses: SUM_OVER_BATCH_SIZE)",
        ("compute_weighted_loss", "reduction", "Reduction", "weights", "sample_weight"),
    ),
    "loss_scaled": Cause(
        "the losses are a multiple of the reference's",
        "look for a weight of the loss or of its samples",
        ("loss_weights", "weights", "sample_weight", "class_weight"),
    ),
    "regularisation_not_added": Cause(
        "regularisation is not part of what is minimised",
        "add tf.losses.get_regularization_loss() (Keras: sum(model.losses)) to the loss",
        ("regularizer", "kernel_regularizer", "get_regularization_loss", "compiled_loss"),
    ),
    "regularisation_factor_two": Cause(
        "regularisation by half the sum of squares against the whole sum",
        "halve or double its factor: tf.nn.l2_loss is sum(w²)/2, tf.keras.regularizers.L2 is sum(w²)",
        ("l2_loss", "L2", "l2", "l2_regularizer"),
    ),
    "regularisation_differs": Cause(
        "regularisation differs",
        "give both the same factor, on the same variables",
        ("regularizer", "kernel_regularizer", "L1", "L2", "l2_loss"),
    ),
    "statistics_not_updated": Cause(
        "the moving statistics of batch normalisation are never updated",
        "run the UPDATE_OPS with every step (Keras: call the layer with training=True)",
        ("UPDATE_OPS", "apply_gradients", "minimize", "batch_normalization", "batch_norm"),
    ),
    "statistics_differ": Cause(
        "moving statistics move at another pace",
        "give batch normalisation the same momentum (Keras: 0.99)",
        ("momentum", "decay", "BatchNormalization", "batch_normalization"),
    ),
    "mode_not_passed": Cause(
        "dropout or batch normalisation is not told that it is training",
        "pass training=True in training (Keras: let call() hand its training argument on)",
        (
            "training",
            "is_training",
            "Dropout",
            "dropout",
            "BatchNormalization",
            "batch_normalization",
            "batch_norm",
        ),
    ),
    "dropout_in_evaluation": Cause(
        "dropout stays on when the network is evaluated",
        "pass training=False there; a bare tf.nn.dropout always drops",
        ("dropout", "Dropout"),
    ),
    "dropout_rate_inverted": Cause(
        "dropout's rate is what should be kept",
        "rate = 1 - keep_prob",
        ("dropout", "Dropout", "rate", "keep_prob"),
    ),
    "dropout_rate": Cause(
        "dropout has another rate",
        "give both the same rate",
        ("dropout", "Dropout", "rate", "keep_prob"),
    ),
    "accuracy_by_threshold": Cause(
        "accuracy asks whether a logit is above 0.5",
        "take the larger output, or threshold logits at 0",
        ("BinaryAccuracy", "threshold", "accuracy", "0.5"),
    ),
    "accuracy_of_one_class": Cause(
        "every sample is predicted as the same class, whatever its outputs",
        "take argmax over all classes' columns",
        ("argmax", "round"),
    ),
    "mean_of_batches": Cause(
        "the evaluation's loss is the mean over batches, in which samples of a partial batch weigh more",
        "average over samples (Estimator: a metric tf.metrics.mean of the samples' losses)",
        ("loss", "mean", "reduce_mean"),
    ),
    "running_loss": Cause(
        "the loss reported for a step is the mean over the epoch so far",
        "reset the metrics before every batch, or compare means over epochs",
        ("logs", "reset_metrics", "on_train_batch_end"),
    ),
    "slot_start": Cause(
        "the optimizer's state starts elsewhere",
        "start it alike (TensorFlow 1's RMSProp starts at 1, Keras's at 0), or accept other first steps",
        ("RMSPropOptimizer", "RMSprop", "AdagradOptimizer", "Adagrad", "initial_accumulator_value"),
    ),
    "epsilon": Cause(
        "the optimizer's epsilon differs, in size or in its place",
        "set epsilon: tf.compat.v1's Adam has 1e-8, Keras's 1e-7",
        ("epsilon", "AdamOptimizer", "Adam", "RMSPropOptimizer", "RMSprop"),
    ),
    "learning_rate": Cause(
        "the learning rate differs",
        "set it; an optimizer chosen by its name has its API's own",
        (
            "learning_rate",
            "Adam",
            "SGD",
            "Adagrad",
            "Ftrl",
            "RMSprop",
            "AdamOptimizer",
            "compile",
            "GradientDescentOptimizer",
            "AdagradOptimizer",
            "FtrlOptimizer",
        ),
    ),
    "steps_not_counted": Cause(
        "the schedule never moves: nobody counts its steps",
        "pass global_step to apply_gradients or minimize (Keras: pass the schedule itself)",
        ("apply_gradients", "minimize", "global_step", "schedules", "exponential_decay"),
    ),
    "schedule_differs": Cause(
        "the learning rate takes another course",
        "give both the same schedule",
        ("schedules", "exponential_decay", "piecewise_constant", "LearningRateScheduler"),
    ),
    "momentum_form": Cause(
        "momentum with the learning rate inside the velocity against outside: a schedule tells them apart",
        "keep the rate constant, or scale the velocity where the rate changes",
        ("MomentumOptimizer", "SGD", "momentum"),
    ),
    "other_optimizer": Cause(
        "the ports have different optimizers", "use the reference's", ("optimizer", "compile")
    ),
    "optimizer_constants": Cause(
        "the optimizer's constants differ",
        "set its decay rates and momentum as the reference has them",
        ("beta_1", "beta1", "beta2", "beta_2", "rho", "decay", "momentum", "optimizer"),
    ),
    "clipping_per_variable": Cause(
        "gradients are clipped by each variable's norm where they were clipped by the norm of all",
        "use global_clipnorm (Keras) or tf.clip_by_global_norm",
        ("clipnorm", "clip_by_norm", "clipvalue"),
    ),
    "clipping_differs": Cause(
        "gradients are clipped in one port only, or otherwise",
        "clip alike",
        (
            "clipnorm",
            "clip_by_norm",
            "global_clipnorm",
            "clip_by_global_norm",
            "clipvalue",
            "clip_by_value",
        ),
    ),
    "initialiser_too_wide": Cause(
        "kernels start much too wide",
        "use Glorot's or He's initialiser; tf.truncated_normal has a deviation of 1.0",
        (
            "truncated_normal",
            "truncated_normal_initializer",
            "TruncatedNormal",
            "random_normal",
            "stddev",
            "kernel_initializer",
            "initializer",
            "set_initializer",
        ),
    ),
    "constant_initialiser": Cause(
        "kernels start with all their values alike, so that all units of a layer are one",
        "draw them at random (Glorot, He)",
        ("zeros", "zeros_like", "ones", "zeros_initializer", "kernel_initializer", "initializer"),
    ),
    "initialiser_differs": Cause(
        "initial weights are drawn otherwise",
        "name the initialiser in both: tf.layers and Keras default to Glorot's uniform",
        ("initializer", "kernel_initializer", "bias_initializer"),
    ),
    "not_restored": Cause(
        "some variables were given no weights, and kept what was drawn",
        "compare the names that are restored with the variables' own; ask for an error where one is missing",
        (
            "load_weights",
            "restore",
            "init_from_checkpoint",
            "set_weights",
            "assign",
            "load",
            "by_name",
        ),
    ),
    "padding_or_stride": Cause(
        "a convolution or pooling differs in padding, window or stride",
        "spell them out: padding, pool_size and strides have other defaults in every API",
        (
            "max_pool1d",
            "max_pooling1d",
            "MaxPool1D",
            "MaxPooling1D",
            "MaxPool2D",
            "conv1d",
            "Conv1D",
            "conv2d",
            "Conv2D",
            "padding",
            "strides",
        ),
    ),
    "other_activation": Cause(
        "a layer has another activation",
        "use the reference's",
        ("activation", "relu", "tanh", "leaky_relu", "elu"),
    ),
    "normalisation_differs": Cause(
        "normalisation differs in its constants",
        "set epsilon and momentum as the reference has them",
        ("epsilon", "BatchNormalization", "batch_normalization"),
    ),
    "low_precision": Cause(
        "numbers of fewer bits than float32's",
        "compute in float32 (mixed precision, float16 casts, TF32)",
        (
            "float16",
            "bfloat16",
            "half",
            "mixed_float16",
            "set_global_policy",
            "dtype",
            "enable_tensor_float_32_execution",
        ),
    ),
    "gradient_cut": Cause(
        "a variable's gradient is cut off",
        "look for stop_gradient, or for operations without a derivative",
        ("stop_gradient", "argmax", "round", "custom_gradient", "trainable"),
    ),
    "not_trainable": Cause(
        "a variable is trained in one port only", "set trainable alike", ("trainable",)
    ),
    "missing_variable": Cause(
        "the ports do not have the same variables",
        "give both the same layers, and biases alike",
        ("use_bias", "Dense", "dense", "get_variable", "Conv1D", "conv1d"),
    ),
    "input_restarts": Cause(
        "the input starts anew: every epoch has the same samples in the same order",
        "call train once (train_and_evaluate with max_steps), or give the input another seed each time",
        ("train", "shuffle", "input_fn", "repeat"),
    ),
    "not_shuffled": Cause(
        "samples come in the file's order",
        "shuffle before batch, over a buffer as large as the file",
        ("shuffle", "batch", "TFRecordDataset"),
    ),
    "batches_shuffled": Cause(
        "whole batches are shuffled, not samples", "shuffle before batch", ("shuffle", "batch")
    ),
    "buffer_too_small": Cause(
        "the shuffle buffer is smaller than a run of one class",
        "use a buffer as large as the file, or interleave one file a class",
        ("shuffle", "interleave"),
    ),
    "order_differs": Cause(
        "samples come in another order",
        "seed the shuffle alike, at the graph's and at its own level",
        ("shuffle", "seed", "set_random_seed", "set_seed"),
    ),
    "partial_batch_dropped": Cause(
        "the last, partial batch is dropped",
        "leave drop_remainder out",
        ("drop_remainder", "batch", "steps_per_epoch"),
    ),
    "scaled_in_training_only": Cause(
        "features are scaled in training and not in evaluation",
        "scale in the one function that reads both",
        ("map", "rescale", "Normalization", "Rescaling"),
    ),
    "features_scaled": Cause(
        "features are scaled in one port only",
        "scale alike",
        ("map", "cast", "Rescaling", "Normalization"),
    ),
    "features_shifted": Cause(
        "features are shifted: their baseline is left in",
        "remove the baseline",
        ("cast", "map", "decode_raw"),
    ),
    "features_differ": Cause(
        "features are read otherwise",
        "compare how they are decoded: dtype, byte order, shape",
        ("decode_raw", "parse_example", "cast"),
    ),
    "dead_relus": Cause(
        "ReLUs are dead: no sample gets through a layer, and all have the same outputs",
        "scale the inputs to size 1, lower the learning rate, or use He's initialiser or a leaky ReLU",
        ("relu", "learning_rate", "Adam", "AdamOptimizer"),
    ),
    "rate_too_high": Cause(
        "the learning rate is too high: the loss grows or is thrown about",
        "lower the learning rate by ten",
        ("learning_rate", "Adam", "SGD", "AdamOptimizer", "GradientDescentOptimizer"),
    ),
    "rate_too_low": Cause(
        "the learning rate is too low: the weights hardly move",
        "raise the learning rate",
        ("learning_rate", "Adam", "SGD", "AdamOptimizer", "GradientDescentOptimizer"),
    ),
    "vanishing_gradient": Cause(
        "gradients vanish on their way to the first layers",
        "use ReLUs with He's initialiser, normalisation, or residual connections",
        ("sigmoid", "tanh", "activation"),
    ),
    "inputs_too_large": Cause(
        "features are large numbers",
        "scale the inputs to size 1",
        ("Rescaling", "Normalization", "cast", "map"),
    ),
    "targets_too_large": Cause(
        "targets are large numbers, and so are losses and gradients",
        "scale the targets to size 1",
        ("compile", "mse", "MeanSquaredError", "mean_squared_error"),
    ),
    "out_of_reach": Cause(
        "the last layer's activation cannot give the targets' values",
        "leave the last layer linear, or scale the targets",
        ("activation", "Dense", "dense", "sigmoid", "tanh", "relu", "softmax"),
    ),
    "loss_of_values": Cause(
        "a loss of regression for labels that are classes",
        "use a cross-entropy",
        (
            "mse",
            "MeanSquaredError",
            "mean_squared_error",
            "mae",
            "MeanAbsoluteError",
            "loss",
            "compile",
        ),
    ),
    "too_short": Cause(
        "training ended while the loss was still falling",
        "train for more epochs, or raise the learning rate",
        ("epochs", "fit", "steps"),
    ),
    "features_not_finite": Cause(
        "features are not finite", "clean the data", ("map", "parse_example")
    ),
    "classes_of_outputs": Cause(
        "the outputs do not fit the classes",
        "give the last layer an output for every class",
        ("Dense", "dense", "units"),
    ),
    "classes_unbalanced": Cause(
        "nearly all labels are of one class",
        "weigh the classes or sample them alike",
        ("label", "labels"),
    ),
}


def explanation(cause: str, stage: str, evidence: str) -> Explanation:
    """A cause with its evidence in numbers."""
    return Explanation(cause, stage, CAUSES[cause].title, evidence, CAUSES[cause].cure)
