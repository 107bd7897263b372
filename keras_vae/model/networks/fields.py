"""Checks of the fields of networks."""

ACTIVATIONS = ("relu", "elu", "gelu", "silu", "leaky_relu", "selu", "softplus", "tanh", "mish", "linear")


def check_sizes(name, sizes, example):
    """Raises a ValueError if the field `name` is empty, or has a size below 1."""
    if not sizes or min(sizes) < 1:
        raise ValueError(f"network.{name} is {sizes}: give at least one size above 0 (try {example})")


def check_least(network, **least):
    """Raises a ValueError for the first given field that is below its minimum."""
    for name, low in least.items():
        if getattr(network, name) < low:
            raise ValueError(f"network.{name} is {getattr(network, name)}: it must be at least {low}")


def check_activation(name):
    """Raises a ValueError for an unknown activation."""
    if name not in ACTIVATIONS:
        raise ValueError(f"network.activation is {name!r}: expected one of {', '.join(ACTIVATIONS)}")
