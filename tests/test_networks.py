import collections
import math

import numpy as np
import pytest

from keras_vae.model.autoencoder import Autoencoder
from keras_vae.model.components import component, component_to_json
from keras_vae.model.likelihoods import Bernoulli, LearnedGaussian
from keras_vae.model.networks import ACTIVATIONS, NETWORKS, Convolutional, Perceptron, Plan, Residual, groups
from keras_vae.model.posteriors import DiagonalGaussian, Point, latent_shape, parse_shape, show_shape
from keras_vae.runtime.lazy import keras, tf

# No unit of elu is dead.
SMALL = Convolutional(widths=(4, 8), dense=8, activation="elu")
OF_EACH_KIND = [SMALL, Residual(widths=(4, 8), dense=8), Perceptron(hidden=(8, 5))]
every_kind = pytest.mark.parametrize("network", OF_EACH_KIND, ids=lambda network: type(network).__name__)
SHAPES = [  # image, latent
    ((1, 1, 1), (2,)),
    ((1, 1, 3), (1, 1, 2)),
    ((8, 8, 1), (1,)),
    ((8, 8, 3), (8, 8, 4)),
    ((28, 28, 1), (32,)),
    ((28, 28, 1), (7, 7, 16)),
    ((28, 28, 1), (5, 5, 4)),
    ((28, 28, 1), (8, 8, 1024)),
    ((27, 31, 3), (2,)),
    ((27, 31, 1), (4, 4, 2)),
    ((64, 48, 3), (2,)),
    ((64, 48, 3), (5, 7, 2)),
    ((32, 32, 3), (8, 4, 2)),
    ((3, 50, 1), (1, 7, 2)),
]
VARIANTS = [
    Convolutional(widths=(3,), dense=0),
    Convolutional(widths=(4, 6, 8), dense=4, depth=2, normalization="group"),
    Convolutional(widths=(4,), dense=4, kernel_size=5, normalization="batch", activation="gelu"),
    Convolutional(
        widths=(8, 4, 4, 2), dense=4, kernel_size=2, normalization="layer", activation="leaky_relu"
    ),
    Convolutional(widths=(4,), dense=4, kernel_size=4, activation="tanh"),
    Residual(widths=(4,), dense=0, kernel_size=2, activation="gelu"),
    Residual(widths=(8, 4), dense=4, depth=2, groups=1, down="average", up="transposed"),
    Residual(widths=(16,), dense=4, groups=4, down="average", activation="elu"),
    Perceptron(hidden=(7,)),
    Perceptron(hidden=(3, 9, 4), activation="silu"),
]


def build(network, image_shape, latent_shape, latent=None, likelihood=None, policy="float32"):
    shapes = image_shape, latent_shape
    encoder = network.encoder(*shapes, latent or DiagonalGaussian(), policy)
    return encoder, network.decoder(*shapes, likelihood or Bernoulli(), policy)


def dead_weights(encoder, decoder, image_shape):
    """Paths of the weights that a squared sum of both networks' outputs does not move."""
    images = np.random.default_rng(0).random((3, *image_shape)).astype("float32")
    with tf.GradientTape() as tape:
        posterior = encoder(images, training=True)
        decoded = decoder(posterior["mean"], training=True)
        target = np.random.default_rng(1).normal(size=decoded.shape)
        loss = tf.reduce_sum((decoded - target) ** 2) + tf.reduce_sum((posterior["log_var"] - 1) ** 2)
    weights = encoder.trainable_weights + decoder.trainable_weights
    gradients = tape.gradient(loss, [weight.value for weight in weights])
    return [w.path for w, g in zip(weights, gradients) if g is None or not np.any(g)]


def skip_what_it_refuses(network, latent):
    if isinstance(network, Perceptron) and len(latent) == 3:
        pytest.skip("an MLP takes a vector")


@every_kind
@pytest.mark.parametrize(("image_shape", "latent"), SHAPES)
def test_shapes_are_right_in_and_out(image_shape, latent, network):
    skip_what_it_refuses(network, latent)
    encoder, decoder = build(network, image_shape, latent)
    assert {name: output.shape for name, output in encoder.output.items()} == {
        "mean": (None, *latent),
        "log_var": (None, *latent),
    }
    assert decoder.input.shape == (None, *latent)
    assert decoder.output.shape == (None, *image_shape)
    images = np.random.default_rng(0).random((2, *image_shape)).astype("float32")
    posterior = encoder(images)
    assert posterior["log_var"].shape == (2, *latent)
    assert decoder(posterior["mean"]).shape == (2, *image_shape)


@pytest.mark.parametrize(("image_shape", "latent"), [pair for pair in SHAPES if pair[1][-1] < 1024])
def test_gradients_reach_every_weight_at_every_size(image_shape, latent):
    keras.utils.set_random_seed(3)
    assert dead_weights(*build(SMALL, image_shape, latent), image_shape) == []


@pytest.mark.parametrize(("image_shape", "latent"), [SHAPES[0], SHAPES[1], SHAPES[-1]])
def test_gradients_reach_every_weight_of_a_residual_network_at_sizes_that_are_odd(image_shape, latent):
    keras.utils.set_random_seed(3)
    assert dead_weights(*build(Residual(widths=(4, 8), dense=8), image_shape, latent), image_shape) == []


@pytest.mark.parametrize("latent", [(3,), (3, 2, 2)])
@pytest.mark.parametrize("network", VARIANTS, ids=str)
def test_gradients_reach_every_weight_of_every_network(network, latent):
    skip_what_it_refuses(network, latent)
    keras.utils.set_random_seed(1)
    encoder, decoder = build(network, (9, 6, 2), latent)
    assert decoder.output.shape == (None, 9, 6, 2)
    assert dead_weights(encoder, decoder, (9, 6, 2)) == []


@pytest.mark.parametrize("network", [*OF_EACH_KIND, *VARIANTS], ids=str)
def test_a_network_is_its_json(network):
    assert component(component_to_json(network, NETWORKS), NETWORKS, "network") == network


@every_kind
def test_a_model_is_rebuilt_from_its_configuration(network):
    model = Autoencoder((9, 6, 2), 3, network=network, likelihood="gaussian_per_pixel")
    again = Autoencoder.from_config(model.get_config())
    assert [(w.path, w.shape) for w in again.weights] == [(w.path, w.shape) for w in model.weights]
    again.set_weights(model.get_weights())
    images = np.random.default_rng(0).random((2, 9, 6, 2)).astype("float32")
    np.testing.assert_array_equal(again(images), model(images))


def test_group_normalization_does_not_silence_a_single_position():
    # A group of one channel at one position is its own mean: its output, and all gradients before it, are 0.
    for width in (1, 2, 3, 4, 6, 8, 12, 16, 20, 32, 64, 100, 512):
        for most in (1, 2, 8, 32):
            assert width % groups(width, most) == 0
            assert width // groups(width, most) >= min(width, 4)
            assert groups(width, most) <= most
    assert [groups(width) for width in (32, 64, 512)] == [8, 8, 8]
    assert groups(512, most=32) == 32
    keras.utils.set_random_seed(1)
    encoder, _ = build(Convolutional(widths=(8,), dense=0, normalization="group"), (1, 1, 1), (2,))
    means = np.asarray(encoder(np.array([0.0, 0.4, 1.0], "float32").reshape(3, 1, 1, 1))["mean"])
    assert np.ptp(means, axis=0).max() > 1e-3


@pytest.mark.parametrize("latent", [(3,), (2, 2, 3)])
@pytest.mark.parametrize(
    "network",
    [
        Convolutional(widths=(4, 4), depth=2, dense=4, normalization="batch"),
        Residual(widths=(4, 4), depth=2, dense=4),
        Perceptron(hidden=(4, 4)),
    ],
    ids=lambda network: type(network).__name__,
)
def test_no_two_weights_of_a_model_have_the_same_path(latent, network):
    skip_what_it_refuses(network, latent)
    model = Autoencoder((8, 8, 3), latent, network=network, likelihood="gaussian_learned")
    count = collections.Counter(weight.path for weight in model.weights)
    assert [path for path, times in count.items() if times > 1] == []


def test_a_batch_normalised_convolution_has_no_second_offset():
    encoder, _ = build(Convolutional(widths=(4,), normalization="batch"), (8, 8, 1), (2,))
    assert not encoder.get_layer("down_0_0").use_bias


@pytest.mark.parametrize("kind", [Convolutional, Residual])
@pytest.mark.parametrize(
    ("size", "widths"),
    [(28, [32, 64, 128]), (64, [32, 64, 128]), (128, [32, 64, 128, 256]), (256, [32, 64, 128, 256, 256])],
)
def test_widths_that_are_not_asked_for_follow_the_image(kind, size, widths):
    plan = Plan((size, size, 3), (16,), kind().channels((size, size, 3)))
    assert [width for width, _ in plan.stages] == widths
    assert plan.bottom == (math.ceil(size / 2 ** len(widths)),) * 2 + (widths[-1],)


def test_widths_and_depth_are_those_asked_for():
    encoder, decoder = build(Convolutional(widths=(4, 6, 8), depth=2, dense=5), (16, 16, 1), (2,))
    filters = [layer.filters for layer in encoder.layers if isinstance(layer, keras.layers.Conv2D)]
    assert filters == [4, 4, 6, 6, 8, 8]
    assert encoder.get_layer("dense_down").units == 5
    rising = [
        layer.filters for layer in decoder.layers if layer.name.startswith("up") and hasattr(layer, "filters")
    ]
    assert rising == [6, 6, 4, 4, 4, 4]


def test_the_last_width_is_repeated_for_a_small_spatial_latent():
    # 32 -> 16 -> 8 -> 4: three halvings of two widths
    plan = Plan((32, 32, 1), (4, 4, 2), (4, 8))
    assert plan.stages == [(4, (2, 2)), (8, (2, 2)), (8, (2, 2))]
    assert plan.ascent == [(8, (2, 2)), (4, (2, 2)), (4, (2, 2))]
    assert plan.bottom == (4, 4, 8)


def test_sizes_that_do_not_divide_are_padded_on_both_sides_and_cut_back():
    plan = Plan((27, 31, 1), (2,), (4, 8))  # 27 -> 28 -> 14 -> 7 and 31 -> 32 -> 16 -> 8
    assert plan.padding == ((0, 1), (0, 1))
    assert plan.bottom == (7, 8, 8)
    assert Plan((28, 28, 1), (5, 5, 1), (4,)).padding == ((6, 6), (6, 6))  # 40 = 5 * 8


def test_a_convolutional_decoder_is_local_so_padding_and_cropping_stay_aligned():
    # With constant kernels a bright pixel at (row, column) must light the same place of the output.
    encoder, decoder = build(
        Convolutional(widths=(1,), activation="linear"), (14, 11, 1), (7, 6, 1), latent=Point()
    )
    for weight in encoder.weights + decoder.weights:
        weight.assign(np.zeros(weight.shape) if "bias" in weight.path else np.ones(weight.shape))
    for row, column in ((0, 0), (6, 5), (13, 10)):
        image = np.zeros((1, 14, 11, 1), "float32")
        image[0, row, column] = 1
        light = np.asarray(decoder(encoder(image)["mean"]))[0, :, :, 0]
        rows, columns = np.nonzero(light)
        assert abs(rows - row).min() == 0
        assert abs(columns - column).min() == 0
        assert abs(np.average(rows, weights=light[rows, columns]) - row) <= 4


@pytest.mark.long
@every_kind
def test_heads_and_outputs_are_float32_under_a_mixed_policy(network):
    encoder, decoder = build(network, (8, 8, 1), (2,), likelihood=LearnedGaussian(), policy="mixed_bfloat16")
    dtypes = {output.dtype for output in [*encoder.output.values(), decoder.output]}
    assert dtypes == {"float32"}
    assert encoder.get_layer("mean").compute_dtype == "float32"
    ends = {"image", "latent", "mean", "log_var", "bounded_log_var", "float32", "log_sigma"}
    inner = {layer.compute_dtype for layer in encoder.layers + decoder.layers if layer.name not in ends}
    assert inner == {"bfloat16"}
    assert {weight.dtype for weight in encoder.weights + decoder.weights} == {"float32"}
    images = np.random.default_rng(0).random((3, 8, 8, 1)).astype("float32")
    exact, _ = build(network, (8, 8, 1), (2,), likelihood=LearnedGaussian())
    exact.set_weights(encoder.get_weights())
    np.testing.assert_allclose(encoder(images)["mean"], exact(images)["mean"], atol=0.1)


@every_kind
def test_a_new_posterior_has_unit_variance(network):
    encoder, _ = build(network, (8, 8, 1), (4,))
    log_var = encoder(np.random.default_rng(0).random((3, 8, 8, 1)))["log_var"]
    np.testing.assert_allclose(log_var, np.zeros((3, 4)), atol=3e-3)  # the softness of the bound, exp(-6)


def filters(network_model):
    return [layer.filters for layer in network_model.layers if hasattr(layer, "filters")]


def test_a_residual_network_has_its_blocks_between_its_sizes():
    encoder, decoder = build(Residual(widths=(4, 8), depth=2), (16, 16, 1), (2,))
    assert filters(encoder) == 5 * [4] + 5 * [8]  # a convolution to the size, and two blocks of two
    assert filters(decoder) == 10 * [4] + [1]
    assert encoder.get_layer("down_1_1_sum").output.shape == (None, 4, 4, 8)
    assert decoder.get_layer("up_1_1_sum").output.shape == (None, 16, 16, 4)


def test_a_block_adds_to_its_input_what_its_last_convolution_says():
    encoder, _ = build(Residual(widths=(4,), activation="tanh"), (8, 8, 1), (2,))
    ends = [encoder.get_layer("down_0_resize").output, encoder.get_layer("down_0_0_sum").output]
    inside, last = keras.Model(encoder.input, ends), encoder.get_layer("down_0_0_b")
    images = np.random.default_rng(0).random((3, 8, 8, 1)).astype("float32")
    last.set_weights([np.zeros_like(weight) for weight in last.get_weights()])
    np.testing.assert_array_equal(*inside(images))
    last.set_weights([np.zeros(last.kernel.shape), np.arange(4.0)])
    before, after = inside(images)
    np.testing.assert_allclose(after - before, np.broadcast_to(np.arange(4.0), before.shape), atol=1e-6)


def test_a_deep_residual_stack_starts_at_about_the_size_of_its_input():
    keras.utils.set_random_seed(0)
    encoder, _ = build(Residual(widths=(32,), depth=8), (8, 8, 3), (2,))
    names = ["down_0_resize", "down_0_7_sum"]
    inside = keras.Model(encoder.input, [encoder.get_layer(name).output for name in names])
    before, after = inside(np.random.default_rng(0).normal(size=(16, 8, 8, 3)).astype("float32"))
    assert 1 < np.std(after) / np.std(before) < 3


@pytest.mark.parametrize(("down", "up"), [("strided", "transposed"), ("average", "nearest")])
def test_a_residual_network_resizes_as_asked(down, up):
    encoder, decoder = build(Residual(widths=(4,), down=down, up=up), (8, 8, 1), (2,))
    kinds = {type(layer).__name__ for layer in encoder.layers + decoder.layers}
    assert ("AveragePooling2D" in kinds) == (down == "average")
    assert ("UpSampling2D" in kinds) == (up == "nearest")
    assert ("Conv2DTranspose" in kinds) == (up == "transposed")


def test_an_mlp_is_mirrored():
    encoder, decoder = build(Perceptron(hidden=(7, 5)), (4, 3, 2), (2,), likelihood=LearnedGaussian())
    units = [[layer.units for layer in part.layers if hasattr(layer, "units")] for part in (encoder, decoder)]
    assert units == [[7, 5, 2, 2], [5, 7, 24]]
    assert encoder.get_layer("down_0").activation is keras.activations.tanh


def test_an_mlp_refuses_a_spatial_latent_with_the_way_out():
    message = r"latent is 2x2x3: the network mlp .*\(try --latent 12, or --network convolutional\)"
    with pytest.raises(ValueError, match=message):
        Autoencoder((8, 8, 1), (2, 2, 3), network="mlp")


def test_every_activation_in_the_list_is_known_to_keras():
    for name in ACTIVATIONS:
        assert callable(keras.activations.get(name))


@pytest.mark.parametrize(
    ("network", "fields", "message"),
    [
        (
            Convolutional,
            {"widths": (0,)},
            r"network\.widths is \(0,\): give at least one size above 0 \(try 32,64\)",
        ),
        (Convolutional, {"widths": (8, 0)}, r"network\.widths is \(8, 0\)"),
        (Convolutional, {"depth": 0}, r"network\.depth is 0: it must be at least 1"),
        (Residual, {"kernel_size": 1}, r"network\.kernel_size is 1: it must be at least 2"),
        (Convolutional, {"dense": -1}, r"network\.dense is -1: it must be at least 0"),
        (Convolutional, {"activation": "rulu"}, r"network\.activation is 'rulu': expected one of relu, "),
        (Residual, {"groups": 0}, r"network\.groups is 0: it must be at least 1"),
        (Residual, {"widths": (8, 3)}, r"network\.widths is \(8, 3\): GroupNorm needs at least 4 channels"),
        (
            Perceptron,
            {"hidden": ()},
            r"network\.hidden is \(\): give at least one size above 0 \(try 200,200\)",
        ),
        (Perceptron, {"activation": "tan"}, r"network\.activation is 'tan'"),
    ],
)
def test_a_field_out_of_range_is_refused_by_name(network, fields, message):
    with pytest.raises(ValueError, match=message):
        network(**fields)


def test_latents_are_written_as_they_are_read():
    assert parse_shape("32") == (32,)
    assert parse_shape("8x8x1024") == parse_shape("8X8X1024") == (8, 8, 1024)
    assert show_shape((8, 8, 1024)) == "8x8x1024"
    assert (
        latent_shape(np.int64(3), (8, 8, 1)) == latent_shape("3", (8, 8, 1)) == latent_shape([3], (8, 8, 1))
    )


@pytest.mark.parametrize(
    ("latent", "message"),
    [
        ("8x8x0", r"latent is 8x8x0: every size must be at least 1 \(try --latent 8x8x16\)"),
        ("0", r"latent is 0: every size must be at least 1 \(try --latent 1\)"),
        ("8x8", r"latent is 8x8: expected one size or three"),
        ("big", r"'big' is not a shape"),
        (3.5, r"latent is \[3.5\]: expected whole numbers"),
        ((16, 16, 4), r"latent is 16x16x4, larger than the images, 8x8x1: .*\(try --latent 4x4x4\)"),
    ],
)
def test_a_latent_that_cannot_be_is_refused_with_the_way_out(latent, message):
    with pytest.raises(ValueError, match=message):
        latent_shape(latent, (8, 8, 1))
