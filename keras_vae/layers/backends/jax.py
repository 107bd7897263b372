"""JAX: steps that are functions from state to state, each compiled as one program, over however many devices."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import jax

from keras_vae.runtime.lazy import keras

if TYPE_CHECKING:
    from keras_vae.runtime.tensor import Tensor

SEED_DTYPE = "uint32"


class JaxSteps:
    """What `fit` and `evaluate` do with a batch: what `keras_vae.layers.backends.tensorflow` does, on values handed through.

    Keras' own steps call the model before they ask for the loss, which would be a second pass through the networks and
    their moving averages; they know one optimizer; and of what a pass assigns to weights that are trained, such as
    revived entries of a codebook, they know nothing.
    """

    @property
    def metrics_variables(self) -> list[keras.Variable]:
        """The metrics' state, and what else is handed through: the critic's optimizer's."""
        critics = [] if self.critic is None else self.critic_optimizer.variables
        return [*super().metrics_variables, *critics]

    def train_step(self, state: tuple, data: Any) -> tuple[dict[str, Tensor], tuple]:
        """Takes one optimizer step on the mean over the batch of the objective's loss, and a critic's with it."""
        batch = self.unpack(data)
        trained = self.trainable_variables
        others = self.non_trainable_variables, self.optimizer.variables, self.metrics_variables

        def scaled_loss(weights, others_state):
            with holding((trained, *others), (weights, *others_state)) as scope:
                loss = self.compute_batch_loss(batch, training=True)
                return self.optimizer.scale_loss(loss), values_of((trained, *others), scope)

        gradients, state = jax.grad(scaled_loss, has_aux=True)(state[0], state[1:])
        with holding((trained, *others), state) as scope:
            self.update_metrics(batch)
            for update in self.updates(gradients):
                apply(*update)
            return self.get_metrics_result(), values_of((trained, *others), scope)

    def test_step(self, state: tuple, data: Any) -> tuple[dict[str, Tensor], tuple]:
        """Measures one batch, with noise that depends on how many images were measured before it."""
        batch = self.unpack(data)
        variables = self.trainable_variables, self.non_trainable_variables, self.metrics_variables
        with holding(variables, state) as scope:
            self.compute_batch_loss(batch, training=False)
            self.update_metrics(batch)
            return self.get_metrics_result(), values_of(variables, scope)

    def predict_step(self, state: tuple, data: Any) -> tuple[Tensor, tuple]:
        """Returns the reconstructions of a batch, and the state."""
        return super().predict_step(state, (self.unpack(data).inputs(),))


def holding(variables, values):
    """Returns a scope in which `variables`, lists of them, have `values`, and in which new ones can be assigned."""
    pairs = zip(itertools.chain(*variables), itertools.chain(*values), strict=True)
    return keras.StatelessScope(pairs, collect_losses=True)


def values_of(variables, scope):
    """Returns the values that `variables`, lists of them, have come to in `scope`."""
    return tuple([scope.get_current_value(variable) for variable in part] for part in variables)


def apply(optimizer, gradients, weights):
    """Takes the optimizer's step within a scope, where `optimizer.apply` fails if it scales the loss (`jax.lax.cond`)."""
    moved, state = optimizer.stateless_apply(
        [variable.value for variable in optimizer.variables], gradients, [weight.value for weight in weights]
    )
    for variable, value in zip([*weights, *optimizer.variables], [*moved, *state], strict=True):
        variable.assign(value)


def derivative_along(function, inputs, directions):
    """Returns the derivative of `function` at `inputs` along `directions`; `function` must assign nothing."""
    return jax.jvp(function, (inputs,), (directions,))[1]


def is_readable(values):
    """Returns whether `values` is an array with values, not one that is being traced."""
    return isinstance(values, jax.Array) and not isinstance(values, jax.core.Tracer)


def num_replicas():
    """Returns 1: what is spread over devices is one program."""
    return 1


def replica_number():
    """Returns 0, the one there is."""
    return 0


def mean_over_replicas(values):
    """Returns `values`."""
    return values


def gradient_step(function, weights):
    """Returns a function that computes the gradients of the sum of `function()` by `weights` and waits for them."""

    @jax.jit
    @jax.grad
    def gradients(values):
        with holding((weights,), (values,)):
            return function().sum().astype("float32")

    return lambda: jax.block_until_ready(gradients([weight.value for weight in weights]))


def shared(array):
    """Returns an array of `array`, on a CPU with its memory, which is aligned and nobody else's."""
    return jax.numpy.asarray(array)


def gpu_capability():
    """Returns the compute capability of the first GPU, (0, 0) if it has none, or None without a GPU."""
    gpus = [device for device in jax.devices() if device.platform == "gpu"]
    if not gpus:
        return None
    try:
        return tuple(int(part) for part in gpus[0].compute_capability.split("."))
    except (AttributeError, ValueError):  # of another maker than NVIDIA
        return (0, 0)


def describe():
    """Returns the version of JAX, whose threads its flags set."""
    return f"jax {jax.__version__}"


Steps = JaxSteps
