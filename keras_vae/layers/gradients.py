"""Calls of networks with gradients to chosen parts, and directional derivatives."""

from keras_vae.layers import backends
from keras_vae.runtime.lazy import ops


def frozen(network, inputs, training=False):
    """Returns the output of `network`, with gradients for the inputs but not for the network.

    Running statistics of the network are not updated.
    """
    weights = [ops.stop_gradient(variable.value) for variable in network.trainable_variables]
    others = [variable.value for variable in network.non_trainable_variables]
    return network.stateless_call(weights, others, inputs, training=training)[0]


def aside(network, inputs, training=False):
    """Returns the output of `network` in an additional pass, with gradients for the inputs and the network.

    Running statistics are not updated. A convolutional network also accepts maps of another size.
    """
    weights, others = (
        [variable.value for variable in variables]
        for variables in (network.trainable_variables, network.non_trainable_variables)
    )
    return network.stateless_call(weights, others, inputs, training=training)[0]


def derivative_along(function, inputs, directions):
    """Returns the derivative of `function` at `inputs` along `directions`, in the shape of the function's output.

    It is the product of the Jacobian with the directions, by forward-mode differentiation: one pass for any number of
    outputs. The result is differentiable. `function` must not assign to variables.
    """
    return backends.derivative_along(function, inputs, directions)
