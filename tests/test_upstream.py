"""The uses of private names: they work, and upstream has no public way yet.

What was traced for an export or an evaluation is freed, and can be differentiated while it is there.
"""

import argparse
import ast
import gc
import inspect
import pathlib
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae import evaluate, load_dataset
from keras_vae.export.saved_models import export
from keras_vae.model.autoencoder import VAE
from keras_vae.runtime import upstream
from keras_vae.runtime.upstream import release_graphs

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


@pytest.mark.long
def test_exports_leave_no_graphs_behind(tmp_path):
    model = small_model("bernoulli")  # which can be scored before it is trained
    assert left_behind(lambda: export(model, tmp_path)) == [0, 0, 0]


@pytest.mark.long
def test_evaluations_leave_no_graphs_behind():
    model, data = small_model(), load_dataset("digits", limit=64)
    assert left_behind(lambda: evaluate(model, data)) == [0, 0, 0]


@pytest.mark.long
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


ROOT = pathlib.Path(upstream.__file__).parents[1]
OF_NAMEDTUPLES = {"_replace", "_asdict", "_fields", "_exit"}


def test_no_other_module_uses_private_names():
    """An attribute that begins with _ is private, except on `self` and `cls` of classes of our own."""
    used = []
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Attribute)
                and node.attr.startswith("_")
                and not node.attr.startswith("__")
            ):
                own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
                if not own and node.attr not in OF_NAMEDTUPLES:
                    used.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.attr}")
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
                ("keras.src", "tensorflow.python")
            ):
                used.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.module}")
    assert {line.partition(":")[0] for line in used} == {"runtime/upstream.py"}, used


def public(kind):
    """The public names of a class or module."""
    return {name for name in dir(kind) if not name.startswith("_")}


def test_a_compiled_models_metrics_have_no_public_name():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    assert upstream.compile_metrics(model) is None
    model.compile("sgd", "mse", metrics=["mae"])
    held = upstream.compile_metrics(model)
    assert held is not None
    assert not any(getattr(type(model), name, None) is type(held) for name in public(type(model)))
    assert public(keras.Model) & {"compile_metrics", "metrics_container"} == set()


def test_layers_for_quantization_are_the_nested_ones_and_no_public_method_lists_them():
    inner = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="inner")])
    model = keras.Sequential([keras.Input((2,)), inner])
    assert "inner" in [layer.name for layer in upstream.layers_for_quantization(model)]
    assert public(keras.Model) & {"flatten_layers", "all_layers"} == set()


def test_iterations_count_steps_and_no_public_name_counts_batches():
    optimizer = keras.optimizers.SGD(gradient_accumulation_steps=2)
    weight = keras.Variable([1.0])
    for _ in range(4):
        optimizer.apply([tf.constant([1.0])], [weight])
    assert int(upstream.batch_counter(optimizer)) == 4
    assert int(optimizer.iterations) == 2
    assert public(optimizer) & {"batches", "num_batches"} == set()


def test_keras_sums_gradients_itself_and_builds_symbolically():
    assert "_all_reduce_sum_gradients" in dir(keras.optimizers.SGD())
    assert "_maybe_symbolic_build" in dir(keras.Model)


def test_data_adapters_and_legacy_files_are_not_public():
    assert hasattr(upstream.data_adapters(), "get_data_adapter")
    assert "data_adapters" not in public(keras.utils) | public(keras)
    assert upstream.writes_legacy_file() is False


def test_the_limit_of_silence_is_not_public():
    from tensorflow.python.eager.context import context

    assert "heartbeat_timeout_in_ms" in inspect.signature(context().configure_coordination_service).parameters
    assert not any("coordination" in name for name in public(tf.distribute))


def test_tensorflow_datasets_has_no_mode_without_downloads():
    tfds = pytest.importorskip("tensorflow_datasets")
    assert not any("offline" in name for name in public(tfds.download.DownloadConfig))
    assert "NonMatchingChecksumError" not in public(tfds.download)


def test_argparse_has_no_public_list_of_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs")
    assert "--epochs" in upstream.options_of(parser)
    assert public(parser) & {"options", "actions", "option_strings"} == set()
