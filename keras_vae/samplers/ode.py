"""Solvers of dx/ds = v(x, s), which transforms noise at s = 0 into codes at s = pi/2, and the density of the codes.

The training path is x_s = cos(s) e + sin(s) z with noise e ~ N(0, I) and a code z. The velocity is the mean of
cos(s) z - sin(s) e given x_s (Lipman et al. 2023; the angle as in Lu and Song 2025). It is 0 for z ~ N(0, I).
"""

import math

import numpy as np

from keras_vae.layers.densities import LOG_2_PI
from keras_vae.runtime.lazy import tf

END = math.pi / 2
FEW = 4  # large steps of the distilled network


def mixed(noise, codes, time):
    """Returns the point at `time`, `[n]`, on the path from noise to codes, and its velocity, both `[n, ...]`."""
    time = tf.reshape(time, (-1, *[1] * (len(codes.shape) - 1)))
    cosine, sine = tf.cos(time), tf.sin(time)
    return cosine * noise + sine * codes, cosine * codes - sine * noise


def times(steps):
    """Returns the `steps` + 1 times between noise and codes."""
    return [END * step / steps for step in range(steps + 1)]


def euler(velocity, points, steps):
    """Returns codes by `steps` evaluations of `velocity(points, time)`; exact if the velocity is constant in a step."""
    for before, after in zip(times(steps), times(steps)[1:]):
        points = points + (after - before) * velocity(points, before)
    return points


def heun(velocity, points, start, length, steps=1):
    """Moves points from the time `start` by `length`, with two evaluations per step and second-order errors."""
    size = length / steps
    for step in range(steps):
        before = start + step * size
        first = velocity(points, before)
        second = velocity(points + size * first, before + size)
        points = points + 0.5 * size * (first + second)
    return points


def log_density(divergence, codes, steps):
    """Returns log p of codes, `[n]`, in nats, by the instantaneous change of variables (Chen et al. 2018, theorem 1).

        d log p(x_s) / ds = - div v(x_s, s)

    The classical fourth-order Runge-Kutta method integrates it from the code back to noise.

    Args:
        divergence: (points, time) -> (velocities, their divergence `[n]`).
        codes: `[n, ...]`.
        steps: The number of steps of the solver, with four evaluations each.
    """
    size = -END / steps

    def step(number, points, gained):
        time = END + size * tf.cast(number, "float32")
        first, rate_1 = divergence(points, time)
        second, rate_2 = divergence(points + size / 2 * first, time + size / 2)
        third, rate_3 = divergence(points + size / 2 * second, time + size / 2)
        fourth, rate_4 = divergence(points + size * third, time + size)
        points = points + size / 6 * (first + 2 * second + 2 * third + fourth)
        return number + 1, points, gained + size / 6 * (rate_1 + 2 * rate_2 + 2 * rate_3 + rate_4)

    start = tf.constant(0), codes, tf.zeros(tf.shape(codes)[:1])
    _, points, gained = tf.while_loop(lambda number, *_: number < steps, step, start)
    flat = tf.reshape(points, (-1, math.prod(points.shape[1:])))
    normal = -0.5 * tf.reduce_sum(tf.square(flat), axis=1) - 0.5 * flat.shape[1] * LOG_2_PI
    return normal + gained


def exact(velocity):
    """Returns the exact divergence of `velocity`, the trace of its Jacobian, with one pass per coordinate."""

    def divergence(points, time):
        shape, count = points.shape[1:], tf.shape(points)[0]
        size = math.prod(shape)
        each = tf.reshape(tf.eye(size), (size, 1, *shape))
        probes = tf.reshape(tf.broadcast_to(each, (size, count, *shape)), (-1, *shape))
        tiled = tf.tile(points, [size, *[1] * len(shape)])
        moved, parts = estimated(velocity, probes)(tiled, time)
        return moved[:count], tf.reduce_sum(tf.reshape(parts, (size, count)), axis=0)

    return divergence


def estimated(velocity, probe):
    """Returns an unbiased estimate of the divergence of `velocity`: p' J p for random signs p, the `probe`.

    Hutchinson 1990; Grathwohl et al. 2019.
    """

    def divergence(points, time):
        axes = list(range(1, len(points.shape)))
        with tf.GradientTape() as tape:
            tape.watch(points)
            moved = velocity(points, time)
            along = tf.reduce_sum(moved * probe, axis=axes)
        return moved, tf.reduce_sum(tape.gradient(along, points) * probe, axis=axes)

    return divergence


def signs(shape, generator):
    """Returns random signs, float32."""
    return np.where(generator.random(shape) < 0.5, -1, 1).astype("float32")
