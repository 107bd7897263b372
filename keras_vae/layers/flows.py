"""Normalizing flows on flat codes: invertible maps with a known log-determinant.

    forward(codes, context)        the mapped codes `[n, dim]` and log |det d mapped / d codes|, `[n]`
    inverse(mapped, context)       the codes, up to float32 rounding

As a density over codes (a prior or a sampler), a flow maps codes to noise:
log p(z) = log N(forward(z); 0, I) + log det. As a posterior, it maps draws from a diagonal Gaussian to draws from a
richer density: log q(forward(z)) = log q(z) - log det. Its `context`, `[n, context_dim]`, is an output of the encoder.

    kind       a step                                                         forward      inverse
    maf        u_i = (z_i - mu_i) exp(-alpha_i), both functions of z_<i       one pass     dim passes
    realnvp    the same, functions of the other half of the dimensions        one pass     two passes
    iaf        u_i = gate_i z_i + (1 - gate_i) mu_i, functions of z_<i        one pass     dim passes
    planar     u = z + v tanh(w' z + b)                                       a product    not in closed form

A pass is one evaluation of the step's network, for all dimensions at once. The last weights of the networks start at
zero, so flows of maf and realnvp start as the identity. Everything is float32 for every dtype policy, because
log-determinants need that precision.
"""

import numpy as np

from keras_vae.layers.basic import PACKAGE, Sampling
from keras_vae.layers.densities import standard_normal_log_density, sum_per_image
from keras_vae.runtime.lazy import keras, ops

# A step scales by e^-3 to e^3, so a code far from all others cannot cause an overflow.
MOST_LOG_SCALE = 3.0
# The least determinant of a planar step: smaller numbers have no logarithm in float32.
LEAST_DETERMINANT = 1e-37
# The gate's logit at the start: Kingma et al. 2016 advise +1 or +2, which leaves most of the code unchanged.
OPEN_GATE = 2.0


class FlowStep(keras.layers.Layer):
    """Step number `index` of a flow. `build` creates its weights."""

    def __init__(self, dim, index, width, context_dim, seed):
        super().__init__(dtype="float32", name=f"step_{index}")
        self.dim, self.index, self.width, self.context_dim = dim, index, width, context_dim
        self.seed = seed

    def weight(self, name, shape, initializer="zeros"):
        """Adds a weight that stays float32 in models of a lower precision."""
        return self.add_weight(name=name, shape=shape, initializer=initializer, autocast=False)

    def random(self, name, shape, scale=1.0):
        """Adds a random weight that depends only on the flow's seed, the step and the name."""
        seed = np.random.SeedSequence([self.seed, self.index, *name.encode()]).generate_state(1)[0]
        initializer = keras.initializers.VarianceScaling(scale, "fan_avg", "uniform", seed=int(seed >> 1))
        return self.weight(name, shape, initializer)


class Autoregressive(FlowStep):
    """A masked autoregressive step (Papamakarios et al. 2017, equations 2 to 5).

    u_i = (z_i - mu_i) exp(-alpha_i). A network of two hidden layers computes mu_i and alpha_i from the dimensions
    before i: each hidden unit has a degree and depends on units of the same or a lower degree; outputs depend on lower
    degrees only (Germain et al. 2015, equations 12 and 13). alpha is bounded smoothly. Hidden layers depend on the
    whole context. Every second step has the dimensions in reverse order.
    """

    def degrees(self):
        """Returns the position of each dimension in the order, from 1, `[dim]`. Equal positions are independent."""
        order = np.arange(1, self.dim + 1)
        return order if self.index % 2 == 0 else order[::-1].copy()

    def build(self, input_shape=None):
        degrees = self.degrees()
        # Hidden units of degree 0 depend only on the context.
        lowest, highest = 0 if self.context_dim else 1, max(degrees.max() - 1, 0)
        hidden = np.linspace(lowest, max(highest, lowest), self.width).round()
        self.masks = [
            (lower[:, None] <= upper).astype("float32")
            for lower, upper in [(degrees, hidden), (hidden, hidden), (hidden, np.tile(degrees - 1, 2))]
        ]
        shapes = [mask.shape for mask in self.masks]
        self.kernels = [self.random("first", shapes[0]), self.random("second", shapes[1])]
        self.kernels.append(self.weight("last", shapes[2]))
        self.biases = [self.weight(f"bias_{layer}", shape[1:]) for layer, shape in enumerate(shapes)]
        if self.context_dim:
            shape = (self.context_dim, self.width)
            self.context_kernels = [self.random(f"context_{layer}", shape) for layer in range(2)]

    def network(self, codes, context):
        """Returns two arrays `[n, dim]`; each number depends only on the dimensions of lower degree."""
        values = codes
        for layer, (kernel, mask, bias) in enumerate(zip(self.kernels, self.masks, self.biases)):
            values = ops.matmul(values, kernel * mask) + bias
            if layer < 2:
                if self.context_dim:
                    values = values + ops.matmul(context, self.context_kernels[layer])
                values = ops.silu(values)
        return values[:, : self.dim], values[:, self.dim :]

    def scale(self, codes, context):
        """Returns log_scale and shift, `[n, dim]` each, of u = exp(log_scale) z + shift."""
        alpha, mu = self.network(codes, context)
        log_scale = -MOST_LOG_SCALE * ops.tanh(alpha / MOST_LOG_SCALE)
        return log_scale, -mu * ops.exp(log_scale)

    def forward(self, codes, context=None):
        log_scale, shift = self.scale(codes, context)
        return codes * ops.exp(log_scale) + shift, ops.sum(log_scale, axis=1)

    def inverse(self, mapped, context=None):
        """Returns the codes. Pass k computes the dimensions of degree k, which depend only on known ones."""
        degrees = self.degrees()

        def learn(number, codes):
            log_scale, shift = self.scale(codes, context)
            return ops.where(degrees == number + 1, (mapped - shift) * ops.exp(-log_scale), codes)

        return ops.fori_loop(0, int(degrees.max()), learn, mapped)


class Coupling(Autoregressive):
    """An affine coupling (Dinh et al. 2017, equations 4 and 5): half of the dimensions scale and shift the others.

    It is an autoregressive step with two degrees. The seed determines the halves, which swap roles in every second
    step. Learned constants scale and shift the first half too, as the batch normalization of the paper does.
    """

    def degrees(self):
        shuffled = np.random.default_rng([self.seed, self.index // 2]).permutation(self.dim)
        return np.where((shuffled < self.dim / 2) == (self.index % 2 == 0), 1, 2)


class Gated(Autoregressive):
    """An inverse autoregressive step with a gate (Kingma et al. 2016, the gated form of algorithm 1).

    u = gate z + (1 - gate) mu. The log-determinant is the sum of log gate, so the step only contracts.
    """

    def scale(self, codes, context):
        logit, mu = self.network(codes, context)
        logit = logit + OPEN_GATE
        return ops.log_sigmoid(logit), ops.sigmoid(-logit) * mu


class Planar(FlowStep):
    """A planar step (Rezende and Mohamed 2015, equations 10 to 12), kept invertible as in their appendix A.1.

    u = z + v tanh(w' z + b) is invertible if w' v >= -1. This holds for v = v0 + (m(w' v0) - w' v0) w / |w|^2 with
    m(x) = log(1 + e^x) - 1 > -1. With a context, v0, w and b are linear functions of it.
    """

    def build(self, input_shape=None):
        # Small values, so that the step starts near the identity.
        self.direction = self.random("direction", (1, self.dim), 0.1)
        self.normal = self.random("normal", (1, self.dim))
        self.offset = self.weight("offset", (1, 1))
        if self.context_dim:
            self.context_kernel = self.random("context", (self.context_dim, 2 * self.dim + 1), 0.1)

    def parameters(self, context):
        """Returns v and w, `[n or 1, dim]`, and b and 1 + w' v > 0, `[n or 1, 1]`."""
        direction, normal, offset = (
            ops.convert_to_tensor(w) for w in (self.direction, self.normal, self.offset)
        )
        if self.context_dim:
            linear = ops.matmul(context, self.context_kernel)
            direction, normal = direction + linear[:, : self.dim], normal + linear[:, self.dim : 2 * self.dim]
            offset = offset + linear[:, 2 * self.dim :]
        along = ops.sum(normal * direction, axis=1, keepdims=True)
        squared = ops.sum(ops.square(normal), axis=1, keepdims=True)
        # If w is 0, nothing is added and w' v is 0.
        divisor = ops.maximum(squared, 1e-12)
        direction = direction + (ops.softplus(along) - 1 - along) * normal / divisor
        share = squared / divisor
        stretch = share * ops.softplus(along) + (1 - share) * (1 + along)
        return direction, normal, offset, stretch

    def forward(self, codes, context=None):
        """Returns the mapped codes and log(1 + (1 - t^2) w' v), where t is the tanh.

        The determinant is computed as t^2 + (1 - t^2) (1 + w' v), a sum of positive numbers. With large weights, the
        float32 error of w' v exceeds 1 + w' v, and the logarithm of the first form can be NaN.
        """
        direction, normal, offset, stretch = self.parameters(context)
        bent = ops.tanh(ops.sum(codes * normal, axis=1, keepdims=True) + offset)
        squared = ops.square(bent)
        determinant = ops.maximum(squared + (1 - squared) * stretch, LEAST_DETERMINANT)
        return codes + direction * bent, ops.log(determinant)[:, 0]

    def inverse(self, mapped, context=None):
        raise ValueError(
            "a planar flow has no inverse in closed form: it can be a posterior, but not a prior or a sampler"
            f" (try {', '.join(kind for kind in STEPS if kind != 'planar')})"
        )


STEPS = {
    "maf": Autoregressive,
    "realnvp": Coupling,
    "iaf": Gated,
    "planar": Planar,
}


@keras.saving.register_keras_serializable(PACKAGE)
class Flow(keras.layers.Layer):
    """A stack of `depth` steps of one kind. Calling it on codes `[n, dim]` calls `forward`.

    The constructor creates the weights, which depend only on `seed`.

    Args:
        dim: The number of dimensions of a code.
        kind: A name in `STEPS`.
        depth: The number of steps. The papers use 5 to 10, and up to 80 planar ones.
        width: The width of the networks' two hidden layers, which should be larger than `dim`.
        context_dim: The number of dimensions of the context, 0 without one.
        seed: The seed of the initial weights and of the halves of realnvp.

    Raises:
        ValueError: The kind is unknown, or a size is below 1.
    """

    def __init__(self, dim, kind="maf", depth=5, width=128, context_dim=0, seed=0, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        if kind not in STEPS:
            raise ValueError(f"flow kind is {kind!r}: expected one of {', '.join(STEPS)}")
        if min(dim, depth, width) < 1:
            raise ValueError(f"flow has dim {dim}, depth {depth} and width {width}: each must be at least 1")
        self.settings = {
            "dim": dim,
            "kind": kind,
            "depth": depth,
            "width": width,
            "context_dim": context_dim,
            "seed": seed,
        }
        self.steps = [STEPS[kind](dim, index, width, context_dim, seed) for index in range(depth)]
        self.build((None, dim))

    def build(self, input_shape):
        for step in self.steps:
            step.build(input_shape)

    def call(self, codes, context=None):
        return self.forward(codes, context)

    def forward(self, codes, context=None):
        """Returns the mapped codes, `[n, dim]`, and the log-determinant, `[n]`."""
        codes = ops.cast(codes, "float32")
        log_det = ops.zeros_like(codes[:, 0])
        for step in self.steps:
            codes, change = step.forward(codes, context)
            log_det = log_det + change
        return codes, log_det

    def inverse(self, mapped, context=None):
        """Returns the codes, `[n, dim]`, that `forward` maps to `mapped`.

        Raises:
            ValueError: The flow is planar.
        """
        codes = ops.cast(mapped, "float32")
        for step in reversed(self.steps):
            codes = step.inverse(codes, context)
        return codes

    def log_prob(self, codes, context=None):
        """Returns the log density of `codes`, `[n]`, in nats, if `forward` maps them to N(0, I)."""
        noise, log_det = self.forward(codes, context)
        return sum_per_image(standard_normal_log_density(noise)) + log_det

    def sample(self, count, seed=None, context=None):
        """Returns `count` codes drawn from that density, `[count, dim]`; `seed` as in `keras.random`."""
        noise = keras.random.normal((count, self.settings["dim"]), dtype="float32", seed=seed)
        return self.inverse(noise, context)

    def get_config(self):
        return {**super().get_config(), **self.settings}


@keras.saving.register_keras_serializable(PACKAGE)
class FlowSampling(Sampling):
    """Draws codes from a diagonal Gaussian and maps them by a flow. It takes the arguments of `Flow`.

    Called on `[mean, log_var, context]`, each `[batch, *latent]` with `dim` numbers an image, it returns the codes of
    the Gaussian and of the flow, both `[batch, *latent]`, and the log-determinant, `[batch]`.
    """

    def __init__(self, dim, kind, depth, width, **kwargs):
        super().__init__(**kwargs)
        self.flow = Flow(dim, kind, depth, width, context_dim=dim, name="flow")

    def call(self, inputs, seed=None, noise=None):
        mean, log_var, context = inputs
        base = super().call([mean, log_var], seed=seed, noise=noise)
        flat = [ops.reshape(values, (-1, self.flow.settings["dim"])) for values in (base, context)]
        codes, log_det = self.flow.forward(*flat)
        return base, ops.reshape(codes, ops.shape(mean)), log_det

    def compute_output_shape(self, input_shape):
        return input_shape[0], input_shape[0], input_shape[0][:1]

    def get_config(self):
        flow = {name: self.flow.settings[name] for name in ("dim", "kind", "depth", "width")}
        return {**super().get_config(), **flow}
