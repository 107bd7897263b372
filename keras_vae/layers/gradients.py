"""Where gradients go and where not, and derivatives of functions of tensors."""

from keras_vae.layers import backends
from keras_vae.runtime.lazy import ops


def frozen(network, inputs, training=False):
    """Returns what `network` makes of `inputs`, with gradients that reach the inputs and not the network.

    The networks' running statistics, where it has any, stay as they are.
    """
    weights = [ops.stop_gradient(variable.value) for variable in network.trainable_variables]
    others = [variable.value for variable in network.non_trainable_variables]
    return network.stateless_call(weights, others, inputs, training=training)[0]


def aside(network, inputs, training=False):
    """Returns what `network` makes of `inputs`, with gradients that reach both, in a pass beside the main one.

    Its running statistics stay as they are. A convolutional network takes maps of another size here.
    """
    weights, others = (
        [variable.value for variable in variables]
        for variables in (network.trainable_variables, network.non_trainable_variables)
    )
    return network.stateless_call(weights, others, inputs, training=training)[0]


def derivative_along(function, inputs, directions):
    """Returns the derivative of `function` at `inputs` along `directions`, of the shape of what it returns.

    It is the Jacobian times the directions, by forward differentiation: one pass, whatever the number of
    outputs. It can be differentiated in its turn. `function` must assign nothing to variables.
    """
    return backends.derivative_along(function, inputs, directions)
