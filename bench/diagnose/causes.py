"""The catalogue of causes: a title, a cure, and the names to look for in the port's source."""

from __future__ import annotations

from dataclasses import dataclass

from bench.parity.result import Explanation


@dataclass(frozen=True)
class Cause:
    """A known cause of a difference between ports, or of a training that fails.

    Attributes:
        title: what is wrong, in one sentence.
        cure: what to change, in one sentence.
        names: identifiers that the lines to change are likely to contain.
    """

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
        (
            "pass the outputs of the last layer to the loss without an activation, or use a loss "
            "that takes probabilities"
        ),
        ("sigmoid", "softmax", "activation", "from_logits"),
    ),
    "loss_of_hidden_logits": Cause(
        (
            "the loss is not that of the predictions: Keras computed it from the logits before "
            "the last layer's sigmoid or softmax"
        ),
        "remove the activation from the last layer, and apply it to the predictions",
        ("activation", "from_logits"),
    ),
    "probabilities_expected": Cause(
        "logits go into a loss that takes probabilities",
        (
            "use a loss that takes logits (from_logits=True), or apply a softmax or sigmoid "
            "before the loss"
        ),
        _CROSS_ENTROPIES,
    ),
    "log_of_zero": Cause(
        "the loss takes the logarithm of a probability that reaches 0",
        "use a cross-entropy of logits, which computes softmax and logarithm together",
        ("log",),
    ),
    "swapped_arguments": Cause(
        "labels and outputs are swapped in the loss",
        "swap them back, and pass them by name (labels=, logits=)",
        _CROSS_ENTROPIES,
    ),
    "broadcast_labels": Cause(
        "labels are broadcast over the outputs of a sample",
        "use the sparse cross-entropy for whole-number labels, or convert them with one_hot",
        _CROSS_ENTROPIES,
    ),
    "shifted_labels": Cause(
        "labels are off by one: one class has no row of one_hot",
        "count the classes from 0, and convert the labels only once",
        ("one_hot", "label", "labels"),
    ),
    "other_labels": Cause(
        "the ports train on different labels",
        "compare how the two ports read and map the labels",
        ("label", "labels", "one_hot"),
    ),
    "other_loss": Cause(
        "the ports compute different losses",
        "use the reference's loss",
        _CROSS_ENTROPIES,
    ),
    "sum_for_mean": Cause(
        (
            "the samples' losses are summed instead of averaged: the gradient is larger by the "
            "batch size"
        ),
        "average over the batch, or divide the learning rate by the batch size",
        ("reduction", "reduce_sum", "Reduction", "SUM"),
    ),
    "mean_over_nonzero": Cause(
        (
            "a weighted loss is divided by the number of non-zero weights instead of the number "
            "of samples"
        ),
        "use the same reduction in both ports (tf.losses: SUM_OVER_BATCH_SIZE)",
        ("compute_weighted_loss", "reduction", "Reduction", "weights", "sample_weight"),
    ),
    "loss_scaled": Cause(
        "the losses are a multiple of the reference's losses",
        "check the weights of the loss and of the samples",
        ("loss_weights", "weights", "sample_weight", "class_weight"),
    ),
    "regularisation_not_added": Cause(
        "the regularisation loss is not part of the loss that is minimised",
        "add tf.losses.get_regularization_loss() (Keras: sum(model.losses)) to the loss",
        ("regularizer", "kernel_regularizer", "get_regularization_loss", "compiled_loss"),
    ),
    "regularisation_factor_two": Cause(
        "one port regularises by the sum of squares, the other by half of it",
        (
            "halve or double the factor: tf.nn.l2_loss is sum(w²)/2, tf.keras.regularizers.L2 is "
            "sum(w²)"
        ),
        ("l2_loss", "L2", "l2", "l2_regularizer"),
    ),
    "regularisation_differs": Cause(
        "the ports regularise differently",
        "use the same factor on the same variables in both ports",
        ("regularizer", "kernel_regularizer", "L1", "L2", "l2_loss"),
    ),
    "statistics_not_updated": Cause(
        "the moving statistics of batch normalisation are never updated",
        "run the UPDATE_OPS with every step (Keras: call the layer with training=True)",
        ("UPDATE_OPS", "apply_gradients", "minimize", "batch_normalization", "batch_norm"),
    ),
    "statistics_differ": Cause(
        "the moving statistics of batch normalisation change at a different rate",
        "use the same momentum for batch normalisation in both ports (Keras: 0.99)",
        ("momentum", "decay", "BatchNormalization", "batch_normalization"),
    ),
    "mode_not_passed": Cause(
        "dropout or batch normalisation is not in training mode during training",
        (
            "pass training=True in training (Keras: pass the training argument of call() on to "
            "the layers)"
        ),
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
        "pass training=False in evaluation; tf.nn.dropout without a condition always drops values",
        ("dropout", "Dropout"),
    ),
    "dropout_rate_inverted": Cause(
        "the rate of dropout is the share that should be kept",
        "set rate = 1 - keep_prob",
        ("dropout", "Dropout", "rate", "keep_prob"),
    ),
    "dropout_rate": Cause(
        "the ports have different rates of dropout",
        "use the same rate in both ports",
        ("dropout", "Dropout", "rate", "keep_prob"),
    ),
    "accuracy_by_threshold": Cause(
        "the accuracy compares logits with a threshold of 0.5",
        "predict the class of the largest output, or compare logits with 0",
        ("BinaryAccuracy", "threshold", "accuracy", "0.5"),
    ),
    "accuracy_of_one_class": Cause(
        "the accuracy is that of predicting the same class for every sample, whatever the outputs",
        "take argmax over the columns of all classes",
        ("argmax", "round"),
    ),
    "mean_of_batches": Cause(
        (
            "the loss of the evaluation is a mean over batches, in which samples of a partial "
            "batch weigh more"
        ),
        "average over samples (Estimator: a metric tf.metrics.mean of the samples' losses)",
        ("loss", "mean", "reduce_mean"),
    ),
    "running_loss": Cause(
        "the loss reported for a step is the mean over the epoch so far",
        "reset the metrics before every batch, or compare means over epochs",
        ("logs", "reset_metrics", "on_train_batch_end"),
    ),
    "slot_start": Cause(
        "the optimizer's state has different initial values",
        (
            "use the same initial values (TensorFlow 1's RMSProp starts at 1, Keras's at 0), or "
            "accept that the first steps differ"
        ),
        ("RMSPropOptimizer", "RMSprop", "AdagradOptimizer", "Adagrad", "initial_accumulator_value"),
    ),
    "epsilon": Cause(
        "the optimizer's epsilon differs, in its size or in its place in the formula",
        "set epsilon: the Adam of tf.compat.v1 has 1e-8, Keras's has 1e-7",
        ("epsilon", "AdamOptimizer", "Adam", "RMSPropOptimizer", "RMSprop"),
    ),
    "learning_rate": Cause(
        "the learning rate differs",
        "set the learning rate: an optimizer chosen by its name has the default of its API",
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
        "the learning rate schedule never advances, because its steps are not counted",
        (
            "pass global_step to apply_gradients or minimize (Keras: pass the schedule itself to "
            "the optimizer)"
        ),
        ("apply_gradients", "minimize", "global_step", "schedules", "exponential_decay"),
    ),
    "schedule_differs": Cause(
        "the learning rate schedules differ",
        "use the same schedule in both ports",
        ("schedules", "exponential_decay", "piecewise_constant", "LearningRateScheduler"),
    ),
    "momentum_form": Cause(
        (
            "one port multiplies the learning rate into the velocity, the other does so "
            "afterwards: they differ when a schedule changes the rate"
        ),
        "keep the rate constant, or scale the velocity when the rate changes",
        ("MomentumOptimizer", "SGD", "momentum"),
    ),
    "other_optimizer": Cause(
        "the ports have different optimizers",
        "use the reference's optimizer",
        ("optimizer", "compile"),
    ),
    "optimizer_constants": Cause(
        "the optimizer's constants differ",
        "set its decay rates and its momentum to the reference's values",
        ("beta_1", "beta1", "beta2", "beta_2", "rho", "decay", "momentum", "optimizer"),
    ),
    "clipping_per_variable": Cause(
        "gradients are clipped by the norm of each variable instead of the norm of all",
        "use global_clipnorm (Keras) or tf.clip_by_global_norm",
        ("clipnorm", "clip_by_norm", "clipvalue"),
    ),
    "clipping_differs": Cause(
        "the ports clip gradients differently, or only one clips them",
        "clip gradients in the same way in both ports",
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
        "the initial kernels have much too large a standard deviation",
        "use Glorot's or He's initialiser; tf.truncated_normal has a standard deviation of 1.0",
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
        "all initial values of a kernel are equal, so that all units of the layer stay equal",
        "draw the initial kernels at random (Glorot, He)",
        ("zeros", "zeros_like", "ones", "zeros_initializer", "kernel_initializer", "initializer"),
    ),
    "initialiser_differs": Cause(
        "the ports draw their initial weights differently",
        (
            "name the same initialiser in both ports; the default of tf.layers and of Keras is "
            "Glorot's uniform"
        ),
        ("initializer", "kernel_initializer", "bias_initializer"),
    ),
    "not_restored": Cause(
        "some variables were not restored and keep their initial values",
        (
            "compare the names that are restored with the names of the variables; let a missing "
            "name raise an error"
        ),
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
        "a convolution or pooling has a different padding, window or stride",
        "set padding, pool_size and strides explicitly: every API has other defaults",
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
        "a layer has a different activation",
        "use the reference's activation",
        ("activation", "relu", "tanh", "leaky_relu", "elu"),
    ),
    "normalisation_differs": Cause(
        "the constants of the normalisation differ",
        "set epsilon and momentum to the reference's values",
        ("epsilon", "BatchNormalization", "batch_normalization"),
    ),
    "low_precision": Cause(
        "the port computes with fewer bits than float32",
        "compute in float32 (check for mixed precision, float16 casts, TF32)",
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
        "no gradient reaches a variable",
        "look for stop_gradient, or for operations without a derivative",
        ("stop_gradient", "argmax", "round", "custom_gradient", "trainable"),
    ),
    "not_trainable": Cause(
        "a variable is trained in only one of the ports",
        "set trainable to the same value in both ports",
        ("trainable",),
    ),
    "missing_variable": Cause(
        "the ports do not have the same variables",
        "use the same layers in both ports, and the same setting of use_bias",
        ("use_bias", "Dense", "dense", "get_variable", "Conv1D", "conv1d"),
    ),
    "input_restarts": Cause(
        "the input starts again: every epoch has the same samples in the same order",
        (
            "call train once (train_and_evaluate with max_steps), or give the input another seed "
            "for each call"
        ),
        ("train", "shuffle", "input_fn", "repeat"),
    ),
    "not_shuffled": Cause(
        "samples come in the order of the file",
        "shuffle before batch, with a buffer as large as the file",
        ("shuffle", "batch", "TFRecordDataset"),
    ),
    "batches_shuffled": Cause(
        "whole batches are shuffled instead of samples",
        "call shuffle before batch",
        ("shuffle", "batch"),
    ),
    "buffer_too_small": Cause(
        "the shuffle buffer is smaller than a run of samples of one class",
        "use a buffer as large as the file, or interleave one file per class",
        ("shuffle", "interleave"),
    ),
    "order_differs": Cause(
        "samples come in a different order",
        "set the same seeds for the shuffle, the graph's seed and its own",
        ("shuffle", "seed", "set_random_seed", "set_seed"),
    ),
    "partial_batch_dropped": Cause(
        "the last, partial batch is dropped",
        "remove drop_remainder",
        ("drop_remainder", "batch", "steps_per_epoch"),
    ),
    "scaled_in_training_only": Cause(
        "features are scaled in training and not in evaluation",
        "scale the features in one function that both training and evaluation use",
        ("map", "rescale", "Normalization", "Rescaling"),
    ),
    "features_scaled": Cause(
        "features are scaled in only one of the ports",
        "scale the features in the same way in both ports",
        ("map", "cast", "Rescaling", "Normalization"),
    ),
    "features_shifted": Cause(
        "features are shifted: their baseline is not removed",
        "remove the baseline",
        ("cast", "map", "decode_raw"),
    ),
    "features_differ": Cause(
        "the ports read different features",
        "compare how the features are decoded: dtype, byte order, shape",
        ("decode_raw", "parse_example", "cast"),
    ),
    "dead_relus": Cause(
        "ReLUs are dead: a layer is 0 for every sample, so that all samples have the same outputs",
        (
            "scale the inputs to size 1, lower the learning rate, or use He's initialiser or a "
            "leaky ReLU"
        ),
        ("relu", "learning_rate", "Adam", "AdamOptimizer"),
    ),
    "rate_too_high": Cause(
        "the learning rate is too high: the loss grows or jumps",
        "divide the learning rate by ten",
        ("learning_rate", "Adam", "SGD", "AdamOptimizer", "GradientDescentOptimizer"),
    ),
    "rate_too_low": Cause(
        "the learning rate is too low: the weights hardly move",
        "raise the learning rate",
        ("learning_rate", "Adam", "SGD", "AdamOptimizer", "GradientDescentOptimizer"),
    ),
    "vanishing_gradient": Cause(
        "gradients vanish before they reach the first layers",
        "use ReLUs with He's initialiser, normalisation, or residual connections",
        ("sigmoid", "tanh", "activation"),
    ),
    "inputs_too_large": Cause(
        "the features are large numbers",
        "scale the inputs to size 1",
        ("Rescaling", "Normalization", "cast", "map"),
    ),
    "targets_too_large": Cause(
        "the targets are large numbers, and so are losses and gradients",
        "scale the targets to size 1",
        ("compile", "mse", "MeanSquaredError", "mean_squared_error"),
    ),
    "out_of_reach": Cause(
        "the last layer's activation cannot produce the values of the targets",
        "make the last layer linear, or scale the targets",
        ("activation", "Dense", "dense", "sigmoid", "tanh", "relu", "softmax"),
    ),
    "loss_of_values": Cause(
        "a regression loss is used for labels that are classes",
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
        "some features are not finite",
        "remove NaN and infinite values from the data",
        ("map", "parse_example"),
    ),
    "classes_of_outputs": Cause(
        "the number of outputs does not fit the classes",
        "give the last layer one output per class",
        ("Dense", "dense", "units"),
    ),
    "classes_unbalanced": Cause(
        "nearly all labels are of one class",
        "weight the classes, or sample them equally often",
        ("label", "labels"),
    ),
}


def explanation(cause: str, stage: str, evidence: str) -> Explanation:
    """Returns a cause of the catalogue with its evidence."""
    return Explanation(cause, stage, CAUSES[cause].title, evidence, CAUSES[cause].cure)
