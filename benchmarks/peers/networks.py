"""The two networks that all contenders train, as numbers: their layers' shapes, their weights and their FLOPs.

Images are 28x28 grey. Every convolution pads by one pixel, those on the way down have a stride of 2, and those on
the way up are transposed. Contenders report how many weights they have, which must be `num_weights` here.
"""

from dataclasses import dataclass

IMAGE_SHAPE = (28, 28, 1)


@dataclass(frozen=True)
class Layer:
    """A convolution, or a dense layer as one over maps of 1x1.

    Attributes:
        inputs, outputs: `(size, channels)` of square maps.
        kernel: Height and width of its kernel.
        transposed: Whether it is a transposed convolution.
    """

    inputs: tuple[int, int]
    outputs: tuple[int, int]
    kernel: int = 1
    transposed: bool = False

    @property
    def stride(self):
        """Of a convolution: 2 where it changes the size."""
        return 1 if self.inputs[0] == self.outputs[0] else 2

    @property
    def output_padding(self):
        """Rows and columns that a transposed convolution adds, to end at its size."""
        return self.outputs[0] - ((self.inputs[0] - 1) * self.stride + self.kernel - 2)

    @property
    def num_weights(self):
        """Kernel and bias."""
        return self.kernel**2 * self.inputs[1] * self.outputs[1] + self.outputs[1]

    @property
    def flops(self):
        """Of one image forward; as many again for the gradient by the inputs, and by the kernel."""
        places = (self.inputs if self.transposed else self.outputs)[0] ** 2
        return 2 * self.kernel**2 * self.inputs[1] * self.outputs[1] * places


@dataclass(frozen=True)
class Network:
    """A variational autoencoder's layers.

    Attributes:
        down: `(channels, kernel, size)` of each convolution's output.
        hidden: Units of the dense layer between convolutions and heads; 0: none.
        latent: Numbers of a code.
        bottom: `(size, channels)` of the map that a dense layer makes of a code.
        up: As `down`, of the transposed convolutions; the last gives logits.
        normalized: Whether batch normalisation follows every convolution but the last, with nothing after `bottom`;
            else relu follows `bottom` too.
        batch: Images a step.
    """

    down: tuple[tuple[int, int, int], ...]
    hidden: int
    latent: int
    bottom: tuple[int, int]
    up: tuple[tuple[int, int, int], ...]
    normalized: bool
    batch: int

    @property
    def encoder_layers(self):
        """The convolutions of the encoder."""
        return chain((IMAGE_SHAPE[0], IMAGE_SHAPE[2]), self.down, transposed=False)

    @property
    def decoder_layers(self):
        """The transposed convolutions of the decoder."""
        return chain(self.bottom, self.up, transposed=True)

    @property
    def num_features(self):
        """Numbers that the last convolution of the encoder gives."""
        channels, _, size = self.down[-1]
        return size**2 * channels

    @property
    def dense_layers(self):
        """All dense layers, as convolutions over maps of 1x1."""
        features = self.num_features
        hidden = [Layer((1, features), (1, self.hidden))] if self.hidden else []
        head = Layer((1, self.hidden or features), (1, self.latent))
        return [*hidden, head, head, Layer((1, self.latent), (1, self.bottom[0] ** 2 * self.bottom[1]))]

    @property
    def layers(self):
        """All layers with weights, but for normalisation."""
        return [*self.encoder_layers, *self.dense_layers, *self.decoder_layers]

    @property
    def num_weights(self):
        """Weights that are trained."""
        normalized = [*self.down, *self.up[:-1]] if self.normalized else []
        return sum(layer.num_weights for layer in self.layers) + 2 * sum(width for width, *_ in normalized)

    @property
    def flops_of_step(self):
        """FLOPs of one optimizer step in convolutions and dense layers: all else is passes over memory."""
        forward = sum(layer.flops for layer in self.layers)
        return self.batch * (3 * forward - self.encoder_layers[0].flops)  # images need no gradient

    def flops_of_likelihood(self, samples):
        """FLOPs of the log-likelihood of one image: encoded once, and `samples` codes decoded."""
        dense = self.dense_layers
        encoding = sum(layer.flops for layer in [*self.encoder_layers, *dense[:-1]])
        return encoding + samples * sum(layer.flops for layer in [dense[-1], *self.decoder_layers])


def chain(inputs, sizes, transposed):
    """Returns the layers that lead from a map of `inputs`, `(size, channels)`, through `sizes`."""
    layers = []
    for channels, kernel, size in sizes:
        layers.append(Layer(inputs, (size, channels), kernel, transposed))
        inputs = layers[-1].outputs
    return layers


NETWORKS = {
    "keras_io": Network(
        down=((32, 3, 14), (64, 3, 7)),
        hidden=16,
        latent=2,
        bottom=(7, 64),
        up=((64, 3, 14), (32, 3, 28), (1, 3, 28)),
        normalized=False,
        batch=128,
    ),
    "pythae": Network(
        down=((128, 4, 14), (256, 4, 7), (512, 4, 3), (1024, 4, 1)),
        hidden=0,
        latent=16,
        bottom=(4, 1024),
        up=((512, 3, 7), (256, 3, 14), (1, 3, 28)),
        normalized=True,
        batch=100,
    ),
}
