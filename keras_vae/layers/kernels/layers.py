"""Keras' own layers with their weights and values, faster on a CPU.

Where maps are small and have many channels, products of matrices take the place of what oneDNN is slow at: of the
gradient by the kernel (1.1 to 1.4 times in float32, two to twenty times in bfloat16), and of a convolution whose kernel
sees all of its input at once. In bfloat16 what is done to each element (bias, activation) is one pass over memory
(`keras_vae.layers.kernels.fused`), and so is a normalization. `docs/performance.md` has the times.
"""

from keras_vae.layers.basic import PACKAGE
from keras_vae.layers.kernels import fused
from keras_vae.layers.kernels.window import Window
from keras_vae.runtime.lazy import keras, ops, tf

# The fewest channels for each place of the kernel at which a product is the faster gradient. Measured in bfloat16: at 7x7
# places and 512 channels it takes half as long, at 256 as long. In float32 with strides, for which the map is rearranged:
# at 4x4 and 1024 channels it takes 0.9 times as long, at 7x7 and 512 1.4 times.
CHANNELS_A_PLACE, CHANNELS_A_PLACE_STRIDED = 10, 60


@keras.saving.register_keras_serializable(PACKAGE)
class Activation(keras.layers.Activation):
    """As Keras' own."""

    def call(self, inputs):
        function = fused.fused(self.activation) if fused.pays(self.compute_dtype) else self.activation
        return function(inputs)


@keras.saving.register_keras_serializable(PACKAGE)
class Dense(keras.layers.Dense):
    """As Keras' own."""

    def call(self, inputs, training=None):
        if not fused.pays(self.compute_dtype) or self.activation is keras.activations.linear:
            return super().call(inputs, training)
        return finished(self, ops.matmul(inputs, self.kernel))


@keras.saving.register_keras_serializable(PACKAGE)
class Conv2D(keras.layers.Conv2D):
    """As Keras' own, with channels last whatever Keras is configured to."""

    def __init__(self, *args, data_format="channels_last", **kwargs):
        super().__init__(*args, data_format=data_format, **kwargs)

    def call(self, inputs):
        # Where only the bias is to follow, oneDNN adds it within the convolution. In float32 nothing is gained by `finished`.
        if not (fused.pays(self.compute_dtype) and pays(self)) or self.activation is keras.activations.linear:
            return super().call(inputs)
        return finished(self, self.convolution_op(inputs, self.kernel))

    def convolution_op(self, inputs, kernel):
        plain = super().convolution_op
        if not pays(self) or self.groups > 1 or None in inputs.shape[1:]:
            return plain(inputs, kernel)
        window = Window(self, inputs.shape, self.compute_output_shape(inputs.shape))
        if window.places == 1:
            seen = tf.reshape(window.framed(inputs, self.kernel_size), (-1, tf.size(kernel) // self.filters))
            return tf.matmul(seen, tf.reshape(kernel, (-1, self.filters)))[:, None, None]
        if self.filters < fewest_channels(self) * window.places:
            return plain(inputs, kernel)

        @tf.custom_gradient
        def convolve(inputs, kernel):
            def gradients(upstream):
                by_inputs = tf.nn.conv2d_transpose(
                    upstream, kernel, tf.shape(inputs), self.strides, self.padding.upper()
                )
                return by_inputs, window.kernel_gradient(inputs, upstream)

            return plain(inputs, kernel), gradients

        return convolve(inputs, tf.convert_to_tensor(kernel))


@keras.saving.register_keras_serializable(PACKAGE)
class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """As Keras' own, with channels last whatever Keras is configured to."""

    def __init__(self, *args, data_format="channels_last", **kwargs):
        super().__init__(*args, data_format=data_format, **kwargs)

    def call(self, inputs):
        if not pays(self):
            return super().call(inputs)
        return finished(self, self.convolution_op(inputs, self.kernel))

    def convolution_op(self, inputs, kernel):
        """Returns the outputs without bias and activation."""

        def plain(inputs, kernel):
            return ops.conv_transpose(
                inputs,
                kernel,
                self.strides,
                self.padding,
                self.output_padding,
                data_format=self.data_format,
            )

        if None in inputs.shape[1:]:
            return plain(inputs, kernel)
        window = Window(self, self.compute_output_shape(inputs.shape), inputs.shape)
        if inputs.shape[-1] < fewest_channels(self) * window.places:
            return plain(inputs, kernel)

        @tf.custom_gradient
        def convolve(inputs, kernel):
            def gradients(upstream):
                by_inputs = tf.nn.conv2d(upstream, kernel, self.strides, self.padding.upper())
                return by_inputs, window.kernel_gradient(upstream, inputs)

            return plain(inputs, kernel), gradients

        return convolve(inputs, tf.convert_to_tensor(kernel))


@keras.saving.register_keras_serializable(PACKAGE)
class BatchNormalization(keras.layers.BatchNormalization):
    """As Keras' own, by TensorFlow's fused operation."""

    def call(self, inputs, training=None, mask=None):
        training = bool(training and self.trainable)
        if not self.can_be_fused(inputs, mask):
            return super().call(inputs, training, mask)
        moments = () if training else (self.moving_mean.value, self.moving_variance.value)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma.value,
            offset=self.beta.value,
            mean=moments[0] if moments else (),
            variance=moments[1] if moments else (),
            epsilon=self.epsilon,
            is_training=training,
        )
        if training:
            count = tf.cast(tf.size(inputs) // inputs.shape[-1], "float32")
            self.follow(self.moving_mean, mean)
            self.follow(
                self.moving_variance, variance * (count - 1) / count
            )  # Keras divides by n, and not n - 1
        return outputs

    def can_be_fused(self, inputs, mask):
        """Returns whether TensorFlow has this in one operation."""
        return (
            fused.pays(self.compute_dtype)
            and len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and mask is None
            and self.scale
            and self.center
            and not (self.renorm or self.synchronized)
        )

    def follow(self, average, value):
        """Moves a moving average towards the `value` of this batch."""
        average.assign(average * self.momentum + value * (1 - self.momentum))


def pays(layer):
    """Returns whether to compute the convolution `layer` otherwise than Keras does: on a CPU."""
    return (
        layer.compute_dtype in ("float32", *fused.HALF)
        and fused.on_cpu()
        and layer.data_format == "channels_last"
        and tuple(layer.dilation_rate) == (1, 1)
    )


def fewest_channels(layer):
    """Returns the fewest channels for each place at which the convolution `layer` has a product as its gradient."""
    strided = layer.compute_dtype == "float32" and max(layer.strides) > 1
    return CHANNELS_A_PLACE_STRIDED if strided else CHANNELS_A_PLACE


def finished(layer, outputs):
    """Returns the outputs of `layer` with its bias and after its activation."""
    bias = layer.bias if layer.use_bias else None
    if fused.pays(layer.compute_dtype):
        return fused.fused(layer.activation)(outputs, bias)
    return layer.activation(outputs if bias is None else ops.add(outputs, bias))
