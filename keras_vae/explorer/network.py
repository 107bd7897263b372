"""The networks for the page: the layers that it shows, and the weights with which it computes them without a server."""

import math

import numpy as np

from keras_vae.config.codec import registered_name
from keras_vae.model.likelihoods import LIKELIHOODS
from keras_vae.runtime.lazy import keras

MOST_MAPS = 64  # feature maps of a layer
MOST_WEIGHTS = 12_000_000  # for a page without a server; 64 MB as text

# The layer classes that the browser can compute (`static/network.js`), with the settings that it needs.
COMPUTED = {
    "InputLayer": (),
    "Dense": ("activation",),
    "Conv2D": ("strides", "padding", "activation"),
    "Conv2DTranspose": ("strides", "padding", "activation"),
    "Activation": ("activation",),
    "Reshape": (),
    "Flatten": (),
    "ZeroPadding2D": ("padding",),
    "Cropping2D": ("cropping",),
    "UpSampling2D": ("size",),
    "AveragePooling2D": ("pool_size",),
    "Add": (),
    "BatchNormalization": ("epsilon",),
    "LayerNormalization": ("epsilon",),
    "GroupNormalization": ("epsilon", "groups"),
    "SoftBounds": ("low", "high"),
    "AppendLogSigma": ("low",),
}
# How the decoder's output becomes an image, by the likelihood's name.
MEANS = {
    "bernoulli": "sigmoid",
    "gaussian": "clip",
    "gaussian_optimal": "clip",
    "gaussian_learned": "clip",
    "gaussian_per_pixel": "clip",
    "laplace": "clip",
}
DENSITIES = {
    "bernoulli": "bernoulli",
    "gaussian": "gaussian",
    "gaussian_optimal": "gaussian",
    "gaussian_learned": "gaussian",
}


class CannotCompute(Exception):
    """The browser cannot compute this model; the message says why."""


def parts(model):
    """Returns the two networks by name."""
    return {"encoder": model.encoder, "decoder": model.decoder}


def layer_facts(model):
    """Returns name, kind, shape and number of weights of each layer, as one list each for encoder and decoder."""
    return {
        part: [
            {
                "name": layer.name,
                "kind": type(layer).__name__,
                "shape": shape_of(layer),
                "weights": sum(math.prod(weight.shape) for weight in layer.weights),
            }
            for layer in network.layers
        ]
        for part, network in parts(model).items()
    }


def shape_of(layer):
    """Returns the shape of a layer's output for one image."""
    shape = layer.output.shape if hasattr(layer.output, "shape") else layer.output[0].shape
    return [int(size) for size in shape[1:]]


class FeatureMaps:
    """Computes the output of any layer of a model's two networks; each function is built on first use."""

    def __init__(self, model):
        self.model, self.networks, self.functions = model, parts(model), {}

    def __call__(self, part, name, value, label=None):
        """Returns the feature maps of a layer for one image or code, `[maps, height, width]`, float32.

        A layer of n units gives one map of one row, `[1, 1, n]`. At most `MOST_MAPS` maps are returned. Conditional
        models need a `label`. Raises a `KeyError` if there is no such layer.
        """
        if (part, name) not in self.functions:
            network = self.networks[part]
            if name not in {layer.name for layer in network.layers}:
                raise KeyError(name)
            self.functions[part, name] = keras.Model(network.input, network.get_layer(name).output)
        labelled = self.model.labelled(value[None], None if label is None else [label])
        output = np.asarray(self.functions[part, name](labelled, training=False), "float32")[0]
        return output[None, None] if output.ndim == 1 else np.moveaxis(output, -1, 0)[:MOST_MAPS]


def computable(world):
    """Returns the data with which the browser computes the model of `world`.

    Returns:
        {"encoder", "decoder": {"layers": [{"name", "kind", "inputs", "settings", "shape", "weights"}], "outputs":
        names}, "mean", "density", "sigma", "standard"}.

    Raises:
        CannotCompute: The browser lacks a layer, the latent or the likelihood, or there are too many weights.
    """
    model = world.model
    kind, likelihood = type(model.latent).__name__, registered_name(model.likelihood, LIKELIHOODS)
    if kind not in ("DiagonalGaussian", "Point"):
        raise CannotCompute(f"its latent is a {kind}")
    if likelihood not in MEANS:
        raise CannotCompute(f"its likelihood is {likelihood}")
    size = sum(network.count_params() for network in parts(model).values())
    if size > MOST_WEIGHTS:
        raise CannotCompute(f"it has {size:,} weights, more than {MOST_WEIGHTS:,}")
    return {
        **{part: graph(network) for part, network in parts(model).items()},
        "mean": MEANS[likelihood],
        "density": DENSITIES.get(likelihood),
        "sigma": world.sigma if DENSITIES.get(likelihood) == "gaussian" else None,
        "standard": bool(world.subject.is_variational and model.prior.is_standard),
    }


def graph(network):
    """Returns a functional model as a list of layers, each after its inputs, and the layers of its outputs by name."""
    config = network.get_config()
    layers = []
    for entry in config["layers"]:
        kind = entry["class_name"].split(">")[-1]
        if kind not in COMPUTED:
            raise CannotCompute(f"it has a layer {kind}")
        layer = network.get_layer(entry["name"])
        layers.append(
            {
                "name": layer.name,
                "kind": kind,
                "inputs": sources(entry["inbound_nodes"]),
                "settings": {key: setting(entry["config"][key]) for key in COMPUTED[kind]},
                "shape": shape_of(layer),
                "weights": weights_of(layer, kind),
            }
        )
    outputs = config["output_layers"]
    named = outputs.items() if isinstance(outputs, dict) else [("output", outputs)]
    return {"layers": layers, "outputs": {key: sources(value)[0] for key, value in named}}


def sources(value):
    """Returns the names of the layers whose outputs occur in a node of Keras' configuration."""
    if isinstance(value, dict):
        history = value.get("config", {}).get("keras_history") if "class_name" in value else None
        return [history[0]] if history else [name for part in value.values() for name in sources(part)]
    if isinstance(value, list | tuple):
        if len(value) == 3 and isinstance(value[0], str):
            return [value[0]]
        return [name for part in value for name in sources(part)]
    return []


def setting(value):
    """Returns a value of a layer's configuration; activations become their names."""
    if isinstance(value, dict):
        return value["config"] if isinstance(value["config"], str) else value["config"]["name"]
    return value


def weights_of(layer, kind):
    """Returns the layer's weights in the order and form that the browser expects.

    A batch normalization becomes a scale and an offset per channel. The axes of a transposed convolution's kernel are
    swapped, so that the last axis is that of the outputs.
    """
    weights = [np.asarray(weight, "float32") for weight in layer.weights]
    if kind == "Conv2DTranspose":
        return [np.ascontiguousarray(np.swapaxes(weights[0], 2, 3)), *weights[1:]]
    if kind == "BatchNormalization":
        gamma, beta, mean, variance = weights
        factor = gamma / np.sqrt(variance + layer.epsilon)
        return [factor, beta - mean * factor]
    return weights
