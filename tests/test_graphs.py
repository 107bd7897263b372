"""What was traced for an export or an evaluation is freed, and can be differentiated while it is there."""

import gc
import weakref

import numpy as np
import tensorflow as tf

from keras_vae import evaluate, load_dataset
from keras_vae.export.saved_models import export
from keras_vae.model.autoencoder import VAE
from keras_vae.runtime.graphs import release_graphs

SMALL = {"kind": "convolutional", "widths": [4, 8], "dense": 16}


def small_model(likelihood="gaussian_optimal"):
    return VAE((8, 8, 1), latent=3, network=SMALL, likelihood=likelihood)


def num_graphs():
    gc.collect()
    return sum(isinstance(thing, tf.Graph) for thing in gc.get_objects())


def left_behind(work):
    """Returns how many more graphs there are after each of three times that `work` is done, once it has been done."""
    work()
    counts = [num_graphs()]
    for _ in range(3):
        work()
        counts.append(num_graphs())
    return np.diff(counts).tolist()


def test_a_graph_goes_and_its_gradients_with_it():
    """The derivative of x sigmoid(x) is s + x s (1 - s), s its sigmoid."""
    from tensorflow.python.framework.ops import gradient_registry

    release_graphs()
    gc.collect()
    before = set(gradient_registry.list())
    silu = tf.function(tf.nn.silu, input_signature=[tf.TensorSpec([None], "float32")])
    graph = weakref.ref(silu.get_concrete_function().graph)
    release_graphs()
    release_graphs()
    gc.collect()
    inputs = tf.constant([-2.0, 0.0, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = silu(inputs)
    sigmoid = 1 / (1 + np.exp(-inputs.numpy()))
    expected = sigmoid + inputs * sigmoid * (1 - sigmoid)
    np.testing.assert_allclose(tape.gradient(outputs, inputs), expected, rtol=1e-5)
    assert set(gradient_registry.list()) > before
    del silu, tape, outputs
    gc.collect()
    release_graphs()  # of what was traced for the gradient
    gc.collect()
    assert graph() is None
    assert set(gradient_registry.list()) == before


def test_exports_leave_no_graphs_behind(tmp_path):
    model = small_model("bernoulli")  # which can be scored before it is trained
    assert left_behind(lambda: export(model, tmp_path)) == [0, 0, 0]


def test_evaluations_leave_no_graphs_behind():
    model, data = small_model(), load_dataset("digits", limit=64)
    assert left_behind(lambda: evaluate(model, data)) == [0, 0, 0]


def test_a_model_that_was_trained_and_exported_dies(tmp_path):
    model = small_model()
    model.compile("adam")
    model.fit(np.zeros((4, 8, 8, 1), "float32"), verbose=0)
    export(model, tmp_path)
    whole, kernel = weakref.ref(model), weakref.ref(model.trainable_weights[0].value)
    del model
    gc.collect()
    assert whole() is None
    assert kernel() is None
