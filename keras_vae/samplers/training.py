"""The training loop of learned samplers: stochastic gradient descent with early stopping."""

import numpy as np

from keras_vae.runtime.lazy import keras, tf

BATCH = 256
LEARNING_RATE = 2e-3
# Updates between two evaluations of the held-out loss, and evaluations without an improvement that end the training.
EVERY, PATIENCE = 100, 5
MOST_HELD_OUT = 8192  # rows, for a standard error of the loss of about 0.01 nats per dimension
CLIP_NORM = 10.0


def train(loss, variables, rows, held_out, settings, batch=BATCH):
    """Trains `variables`, sets them to those with the lowest loss on `held_out`, and returns that loss.

    The updates run in compiled loops. Noise and batches depend only on the seed and the number of the update.

    Args:
        loss: A function of rows `[n, r]` and a seed of two int32, which returns `[n]`.
        variables: The variables to train.
        rows, held_out: Float32, `[n, r]` each.
        settings: An object with `updates`, the most updates, over which the learning rate falls to 0, and `seed`, which
            is not negative.
        batch: Rows per update.
    """
    rows, held_out = tf.constant(rows), tf.constant(held_out[:MOST_HELD_OUT])
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, max(settings.updates, 1))
    optimizer = keras.optimizers.Adam(schedule, global_clipnorm=CLIP_NORM)
    optimizer.build(variables)
    first_seed = int(np.random.SeedSequence(settings.seed).generate_state(1)[0] >> 1)

    def update(number):
        chosen = tf.random.stateless_uniform((batch,), [first_seed, 2 * number], 0, len(rows), "int32")
        with tf.GradientTape() as tape:
            value = tf.reduce_mean(loss(tf.gather(rows, chosen), [first_seed, 2 * number + 1]))
        optimizer.apply(tape.gradient(value, variables))
        return (number + 1,)

    @tf.function(autograph=False)
    def some_updates(first):
        tf.while_loop(lambda number: number < first + EVERY, update, (first,), parallel_iterations=1)

    @tf.function(autograph=False)
    def held_out_loss():
        return tf.reduce_mean(loss(held_out, [first_seed, -1]))

    best, best_weights, waited = float(held_out_loss()), [variable.numpy() for variable in variables], 0
    for first in range(0, settings.updates, EVERY):
        some_updates(tf.constant(first))
        value, waited = float(held_out_loss()), waited + 1
        if value < best:
            best, best_weights, waited = value, [variable.numpy() for variable in variables], 0
        if waited == PATIENCE:
            break
    for variable, weights in zip(variables, best_weights):
        variable.assign(weights)
    return best
