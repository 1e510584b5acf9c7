"""Additions to the standard network for traps that need one, the same in all three APIs.

Their format is described at `bench.traps.trap.Edits`.
"""

from bench.traps.trap import Edits


def optimizer(lowlevel: str, estimator: str, keras: str) -> Edits:
    """Returns edits that replace Adam by another optimizer, an expression in each API."""
    adam = "Adam{}(task.learning_rate, epsilon=task.adam_epsilon)"
    v1 = f"@@ train.py\n-    return tf.train.{adam.format('Optimizer')}\n+    return "
    v2 = f"@@ train.py\n-    return tf.keras.optimizers.{adam.format('')}\n+    return "
    return {"lowlevel": v1 + lowlevel, "estimator": v1 + estimator, "keras": v2 + keras}


DROPOUT: Edits = {
    "lowlevel": '''
@@ network.py
     `signal` has raw counts, float32 [batch, length].
     """
+    training = tf.placeholder_with_default(False, [], "training")
@@ network.py
     x = tf.nn.relu(dense(x, units=64, name="dense1"))
+    x = tf.nn.dropout(x, rate=tf.where(training, 0.2, 0.0))
@@ train.py
-                        [model.train_op, model.loss], {model.input.handle: training}
+                        [model.train_op, model.loss],
+                        {model.input.handle: training, "training:0": True},
''',
    "estimator": """
@@ network.py
-def build_network(signal: tf.Tensor, classes: int, outputs: str) -> tf.Tensor:
+def build_network(signal: tf.Tensor, classes: int, outputs: str, training: bool) -> tf.Tensor:
@@ network.py
     x = tf.layers.dense(x, 64, activation=tf.nn.relu, name="dense1")
+    x = tf.layers.dropout(x, rate=0.2, training=training)
@@ train.py
-    outputs = build_network(features, task.dataset.classes, task.outputs)
+    outputs = build_network(
+        features, task.dataset.classes, task.outputs, training=mode == tf.estimator.ModeKeys.TRAIN
+    )
""",
    "keras": """
@@ network.py
             layers.Dense(64, activation="relu", name="dense1"),
+            layers.Dropout(0.2),
""",
}
"""Dropout of a fifth of dense1's outputs."""

BATCH_NORM: Edits = {
    "lowlevel": """
@@ network.py
+    training = tf.placeholder_with_default(False, [], "training")
     x = signal[:, :, tf.newaxis]
-    x = tf.nn.relu(conv1d(x, filters=16, kernel_size=16, stride=4, name="conv1"))
+    x = conv1d(x, filters=16, kernel_size=16, stride=4, name="conv1")
+    x = tf.nn.relu(batch_norm(x, training, name="norm1"))
@@ network.py

+def batch_norm(x: tf.Tensor, training: tf.Tensor, name: str) -> tf.Tensor:
+    with tf.variable_scope(name):
+        scale = tf.get_variable("gamma", [x.shape[-1]], initializer=tf.ones_initializer())
+        offset = tf.get_variable("beta", [x.shape[-1]], initializer=tf.zeros_initializer())
+        moving_mean = tf.get_variable(
+            "moving_mean", [x.shape[-1]], initializer=tf.zeros_initializer(), trainable=False
+        )
+        moving_variance = tf.get_variable(
+            "moving_variance", [x.shape[-1]], initializer=tf.ones_initializer(), trainable=False
+        )
+        mean, variance = tf.nn.moments(x, [0, 1])
+        for moving, value in ((moving_mean, mean), (moving_variance, variance)):
+            update = moving.assign_sub(0.01 * (moving - value))
+            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
+        mean, variance = (
+            tf.where(training, mean, moving_mean),
+            tf.where(training, variance, moving_variance),
+        )
+        return tf.nn.batch_normalization(x, mean, variance, offset, scale, 1e-3)
+
+
 def dense(x: tf.Tensor, units: int, name: str) -> tf.Tensor:
@@ train.py
-    train_op = optimizer.apply_gradients(gradients, global_step)
+    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
+        train_op = optimizer.apply_gradients(gradients, global_step)
@@ train.py
-                        [model.train_op, model.loss], {model.input.handle: training}
+                        [model.train_op, model.loss],
+                        {model.input.handle: training, "training:0": True},
@@ train.py
-        variable.load(weights[variable.op.name], session)
+        if variable.op.name in weights:
+            variable.load(weights[variable.op.name], session)
""",
    "estimator": """
@@ network.py
-def build_network(signal: tf.Tensor, classes: int, outputs: str) -> tf.Tensor:
+def build_network(signal: tf.Tensor, classes: int, outputs: str, training: bool) -> tf.Tensor:
@@ network.py
-    x = tf.layers.conv1d(
-        x, 16, kernel_size=16, strides=4, padding="same", activation=tf.nn.relu, name="conv1"
-    )
+    x = tf.layers.conv1d(x, 16, kernel_size=16, strides=4, padding="same", name="conv1")
+    x = tf.nn.relu(tf.layers.batch_normalization(x, training=training, fused=False, name="norm1"))
@@ train.py
-    outputs = build_network(features, task.dataset.classes, task.outputs)
+    outputs = build_network(
+        features, task.dataset.classes, task.outputs, training=mode == tf.estimator.ModeKeys.TRAIN
+    )
@@ train.py
-    train_op = optimizer.apply_gradients(gradients, tf.train.get_global_step())
+    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
+        train_op = optimizer.apply_gradients(gradients, tf.train.get_global_step())
@@ train.py
-        variable.load(weights[variable.op.name], session)
+        if variable.op.name in weights:
+            variable.load(weights[variable.op.name], session)
""",
    "keras": """
@@ network.py
-            layers.Conv1D(
-                16, kernel_size=16, strides=4, padding="same", activation="relu", name="conv1"
-            ),
+            layers.Conv1D(16, kernel_size=16, strides=4, padding="same", name="conv1"),
+            layers.BatchNormalization(name="norm1"),
+            layers.ReLU(),
@@ train.py
-    model.set_weights(list(task.initial_weights().values()))
+    weights = task.initial_weights()
+    for variable in model.trainable_variables:
+        if variable.name[:-2] in weights:
+            variable.assign(weights[variable.name[:-2]])
""",
}
"""Batch normalisation of conv1's outputs, by moving statistics when not training."""

L2: Edits = {
    "lowlevel": """
@@ network.py
     return tf.sigmoid(x) if outputs == "activated" else x


+def l2(kernel: tf.Variable) -> tf.Tensor:
+    return 0.001 * tf.reduce_sum(tf.square(kernel))
+
+
@@ network.py
-        kernel = tf.get_variable("kernel", [kernel_size, x.shape[-1], filters])
+        kernel = tf.get_variable("kernel", [kernel_size, x.shape[-1], filters], regularizer=l2)
@@ train.py
-    loss = tf.reduce_mean(sample_losses)
+    loss = tf.reduce_mean(sample_losses) + tf.losses.get_regularization_loss()
""",
    "estimator": """
@@ network.py
 import tensorflow.compat.v1 as tf
+
+
+def l2(kernel: tf.Variable) -> tf.Tensor:
+    return 0.001 * tf.reduce_sum(tf.square(kernel))
@@ network.py
-        x, 16, kernel_size=16, strides=4, padding="same", activation=tf.nn.relu, name="conv1"
+        x,
+        16,
+        kernel_size=16,
+        strides=4,
+        padding="same",
+        activation=tf.nn.relu,
+        kernel_regularizer=l2,
+        name="conv1",
@@ network.py
-        x, 32, kernel_size=16, strides=2, padding="same", activation=tf.nn.relu, name="conv2"
+        x,
+        32,
+        kernel_size=16,
+        strides=2,
+        padding="same",
+        activation=tf.nn.relu,
+        kernel_regularizer=l2,
+        name="conv2",
@@ train.py
     loss = tf.losses.sparse_softmax_cross_entropy(labels=labels, logits=outputs)
+    loss += tf.losses.get_regularization_loss()
""",
    "keras": """
@@ network.py
-                16, kernel_size=16, strides=4, padding="same", activation="relu", name="conv1"
+                16,
+                kernel_size=16,
+                strides=4,
+                padding="same",
+                activation="relu",
+                name="conv1",
+                kernel_regularizer=tf.keras.regularizers.L2(0.001),
@@ network.py
-                32, kernel_size=16, strides=2, padding="same", activation="relu", name="conv2"
+                32,
+                kernel_size=16,
+                strides=2,
+                padding="same",
+                activation="relu",
+                name="conv2",
+                kernel_regularizer=tf.keras.regularizers.L2(0.001),
@@ observe.py
-                loss=results["loss"],
+                loss=results["loss"] - float(sum(self.model.losses)),
""",
}
"""Regularisation of both convolutions: 0.001 times the sum of the squares of their kernels."""

CLIPPED: Edits = {
    "lowlevel": """
@@ train.py
-    train_op = optimizer.apply_gradients(gradients, global_step)
+    clipped, _ = tf.clip_by_global_norm([gradient for gradient, _ in gradients], 1.0)
+    clipped = list(zip(clipped, [variable for _, variable in gradients]))
+    train_op = optimizer.apply_gradients(clipped, global_step)
""",
    "estimator": """
@@ train.py
-    train_op = optimizer.apply_gradients(gradients, tf.train.get_global_step())
+    clipped, _ = tf.clip_by_global_norm([gradient for gradient, _ in gradients], 1.0)
+    clipped = list(zip(clipped, [variable for _, variable in gradients]))
+    train_op = optimizer.apply_gradients(clipped, tf.train.get_global_step())
""",
    "keras": """
@@ train.py
-    return tf.keras.optimizers.Adam(task.learning_rate, epsilon=task.adam_epsilon)
+    return tf.keras.optimizers.Adam(
+        task.learning_rate, epsilon=task.adam_epsilon, global_clipnorm=1.0
+    )
""",
}
"""Clipping of the gradients of all variables together to a norm of at most 1."""

HARD_SAMPLES: Edits = {
    "lowlevel": """
@@ train.py
-    loss = tf.reduce_mean(sample_losses)
+    hard = tf.cast(sample_losses > 0.1, tf.float32)
+    loss = tf.reduce_mean(sample_losses * hard)
""",
    "estimator": """
@@ train.py
-    loss = tf.losses.sparse_softmax_cross_entropy(labels=labels, logits=outputs)
+    sample_losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=outputs)
+    hard = tf.cast(sample_losses > 0.1, tf.float32)
+    loss = tf.losses.compute_weighted_loss(
+        sample_losses, hard, reduction=tf.losses.Reduction.SUM_OVER_BATCH_SIZE
+    )
""",
    "keras": """
@@ train.py
-        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
+        loss=hard_samples,
@@ train.py
     return Trained(model.predict(evaluation, verbose=0), model.count_params())
+
+
+def hard_samples(labels, outputs):
+    losses = tf.keras.losses.sparse_categorical_crossentropy(labels, outputs, from_logits=True)
+    return losses * tf.cast(losses > 0.1, tf.float32)
@@ observe.py
+        cross_entropy = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
         self.evaluator.compile(
-            loss=self.model.loss,
+            loss=cross_entropy,
@@ observe.py
-        loss = model.loss(batch.labels, outputs)
+        loss = tf.reduce_mean(model.loss(batch.labels, outputs))
""",
}
"""Sample weights: 0 for samples with a loss of 0.1 or less, else 1."""

_WARM_UP = "tf.train.piecewise_constant(tf.train.get_global_step(), [20, 200], [1e-6, 1e-5, 1e-6])"

MOMENTUM_DECAY = optimizer(
    f"tf.train.MomentumOptimizer({_WARM_UP}, 0.9)",
    f"tf.train.MomentumOptimizer({_WARM_UP}, 0.9)",
    """tf.keras.optimizers.SGD(
+        tf.keras.optimizers.schedules.PiecewiseConstantDecay([20, 200], [1e-6, 1e-5, 1e-6]),
+        momentum=0.9,
+    )""",
)
"""Momentum with a learning rate that rises after 20 steps and falls after 200."""

_HALVING = "tf.train.exponential_decay(task.learning_rate, tf.train.get_global_step(), 50, 0.5)"

DECAY = optimizer(
    f"tf.train.AdamOptimizer({_HALVING}, epsilon=task.adam_epsilon)",
    f"tf.train.AdamOptimizer({_HALVING}, epsilon=task.adam_epsilon)",
    """tf.keras.optimizers.Adam(
+        tf.keras.optimizers.schedules.ExponentialDecay(task.learning_rate, 50, 0.5),
+        epsilon=task.adam_epsilon,
+    )""",
)
"""Adam with a learning rate that halves every 50 steps."""
