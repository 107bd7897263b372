"""Inputs and outputs of networks: the posterior, the codes, and the parameters of the likelihood."""

from keras_vae.runtime.lazy import keras


def posterior(features, latent_shape, latent):
    """Returns the encoder's outputs by name, each `[batch, *latent_shape]`."""
    return latent.bound(
        {
            name: head(latent_shape, initializer, name)(features)
            for name, initializer in latent.heads().items()
        }
    )


def head(latent_shape, initializer, name):
    """Returns the encoder's last layer in float32: dense for a vector latent, a 1x1 convolution for a spatial one."""
    if len(latent_shape) == 1:
        layer = keras.layers.Dense(
            latent_shape[0], kernel_initializer=initializer, dtype="float32", name=name
        )
    else:
        layer = keras.layers.Conv2D(
            latent_shape[-1],
            1,
            kernel_initializer=initializer,
            data_format="channels_last",
            dtype="float32",
            name=name,
        )
    return layer


def codes(latent_shape, first=None):
    """Returns the decoder's input, and the output of the layer `first` on it, if given."""
    inputs = keras.Input(latent_shape, name="latent")
    return inputs, inputs if first is None else first(inputs)


def parameters(decoded, likelihood):
    """Returns the parameters of the likelihood in float32.

    The last layer with weights runs in the compute dtype and its output is cast. Under a mixed policy, a float32
    convolution at full resolution would take a third of the training time.
    """
    decoded = keras.layers.Activation("linear", dtype="float32", name="float32")(decoded)
    for layer in likelihood.head():
        decoded = layer(decoded)
    return decoded
