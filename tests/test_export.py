"""The SavedModels: what plain TensorFlow reads from them, against the model that they were made of."""

import json
import logging
import math
import random
import resource
import signal
import subprocess
import sys
import textwrap
import warnings
from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from keras_vae.export.saved_models import (
    Description,
    export,
    export_decoder,
    export_encoder,
    publish,
    unfinished_version,
)
from keras_vae.model.autoencoder import VAE, Autoencoder
from keras_vae.samplers import Codes, FlowMatching, PriorSampler, standard_normal

SMALL = {"kind": "convolutional", "widths": [4, 8], "dense": 16}
GREY, COLOUR = (8, 8, 1), (9, 7, 3)
MODELS = {
    "vector": {"image_shape": GREY, "latent": 3},
    "spatial": {"image_shape": GREY, "latent": "4x4x2", "network": {**SMALL, "depth": 2}},
    "bfloat16": {"image_shape": GREY, "latent": 3, "dtype": "mixed_bfloat16"},
    "bfloat16 spatial": {"image_shape": GREY, "latent": "2x2x3", "dtype": "mixed_bfloat16"},
    "colour": {"image_shape": COLOUR, "latent": 3, "network": {**SMALL, "normalization": "batch"}},
    "learned variance": {"image_shape": COLOUR, "latent": 3, "likelihood": "gaussian_learned"},
    "autoencoder": {"image_shape": GREY, "latent": 3, "objective": "autoencoder"},
}
QUICK = ("vector", "bfloat16 spatial", "learned variance")
every_model = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.long) for name in MODELS]
)

# A mixed model rounds its hidden layers to 8 bits of mantissa, three or four times over.
BFLOAT16_TOLERANCE = 0.03
# Convolutions choose their algorithm, and with it the order of their sums, by the batch's size.
ROUNDING = 1e-6
SEEDS = [0, 1, -1, 2**31, 2**32, 2**32 + 1, 2**63 - 1, -(2**63)]
COUNTS = (0, 1, len(SEEDS))

PLAIN_TENSORFLOW = """
    import sys
    import numpy as np
    import tensorflow as tf

    given, *names = sys.argv[1:]
    inputs = np.load(given)
    for name in names:
        folder = f"{given[:-len('inputs.npz')]}{name}/"
        outputs = {}
        for servable in ("decoder", "encoder"):
            loaded = tf.saved_model.load(f"{folder}{servable}/1")
            for signature, function in loaded.signatures.items():
                for count in (0, 1, 8):
                    rows = {
                        argument: tf.constant(inputs[f"{name}/{argument}"][:count])
                        for argument in function.structured_input_signature[1]
                    }
                    for output, value in function(**rows).items():
                        outputs[f"{servable}/{signature}/{output}/{count}"] = value.numpy()
        np.savez(f"{folder}outputs.npz", **outputs)
    assert "keras_vae" not in sys.modules
"""


def make(name, **changes):
    """Returns one of the models, the same each time, with no weight at 0 or 1, as after some training."""
    keras.utils.set_random_seed(7)
    model = Autoencoder(**{"network": SMALL, **MODELS[name], **changes})
    generator = np.random.default_rng(7)
    model.set_weights([weight + 0.1 * generator.normal(size=weight.shape) for weight in model.get_weights()])
    return model


def make_inputs(model):
    """Returns 8 rows of each input."""
    generator = np.random.default_rng(3)
    return {
        "latent": generator.normal(size=(len(SEEDS), *model.latent_shape)).astype("float32"),
        "image": generator.uniform(size=(len(SEEDS), *model.image_shape)).astype("float32"),
        "seed": np.array(SEEDS, "int64"),
    }


def compiled(function, rows):
    """Returns the outputs of `function`, traced for any batch size as an export is."""
    return tf.function(function, input_signature=[tf.TensorSpec((None, *rows.shape[1:]), rows.dtype)])(rows)


@dataclass
class Served:
    """A model, what was put in, and what plain TensorFlow gave: by servable, signature, output and row count."""

    model: Autoencoder
    inputs: dict
    outputs: dict
    folder: object

    def __call__(self, output):
        """Returns the rows of `output` for all inputs."""
        return self.outputs[f"{output}/{len(SEEDS)}"]


@pytest.fixture(scope="module")
def served(tmp_path_factory, request):
    """Every model that the collected tests name, exported here and run in a process that has never heard of keras_vae."""
    root = tmp_path_factory.mktemp("served")
    named = {item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")}
    models = {name: make(name) for name in MODELS if name in named}
    inputs = {name: make_inputs(model) for name, model in models.items()}
    for name, model in models.items():
        export(model, root / name)
    np.savez(
        root / "inputs.npz",
        **{f"{name}/{key}": rows for name in models for key, rows in inputs[name].items()},
    )
    script = textwrap.dedent(PLAIN_TENSORFLOW)
    process = subprocess.run(
        [sys.executable, "-c", script, root / "inputs.npz", *models], capture_output=True, text=True, cwd=root
    )
    assert process.returncode == 0, process.stderr
    return {
        name: Served(models[name], inputs[name], dict(np.load(root / name / "outputs.npz")), root / name)
        for name in models
    }


def saved_model(folder):
    """Returns the graph and the signatures below `folder` as they are stored."""
    return saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes()).meta_graphs[0]


def content(folder):
    """Returns the bytes of every file below `folder`."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.long
@every_model
def test_plain_tensorflow_decodes_and_encodes_as_the_float32_model_bit_for_bit(served, name):
    case = served[name]
    twin = make(name, dtype="float32")
    images = compiled(twin.decode, case.inputs["latent"])
    mean, log_var = compiled(twin.encode, case.inputs["image"])
    assert min(np.ptp(images, axis=0).max(), np.ptp(mean, axis=0).max()) > 0.05  # else nothing is compared
    np.testing.assert_array_equal(case("decoder/decode/image"), images)
    np.testing.assert_array_equal(case("encoder/encode/mean"), mean)
    np.testing.assert_array_equal(case("encoder/encode/log_var"), log_var)


@pytest.mark.long
@every_model
def test_plain_tensorflow_gives_what_the_model_itself_gives_to_its_precision(served, name):
    case = served[name]
    tolerance = BFLOAT16_TOLERANCE if "bfloat16" in name else ROUNDING
    mean, log_var = case.model.encode(case.inputs["image"])
    scale = np.abs(mean).max()
    np.testing.assert_allclose(
        case("decoder/decode/image"), case.model.decode(case.inputs["latent"]), atol=tolerance
    )
    np.testing.assert_allclose(case("encoder/encode/mean"), mean, atol=tolerance * scale)
    np.testing.assert_allclose(case("encoder/encode/log_var"), log_var, rtol=tolerance, atol=tolerance)


@every_model
def test_reconstruct_decodes_the_mean(served, name):
    case = served[name]
    decoded = compiled(make(name, dtype="float32").decode, case("encoder/encode/mean"))
    np.testing.assert_allclose(case("encoder/reconstruct/image"), decoded, atol=ROUNDING)


@every_model
def test_the_image_of_a_seed_is_what_decode_gives_for_its_latent(served, name):
    case = served[name]
    decoded = compiled(make(name, dtype="float32").decode, case("decoder/sample/latent"))
    np.testing.assert_array_equal(case("decoder/sample/image"), decoded)


@every_model
def test_any_number_of_rows_is_served_and_a_row_does_not_depend_on_the_others(served, name):
    case = served[name]
    for key, rows in case.outputs.items():
        output, count = key.rsplit("/", 1)
        assert rows.shape == (int(count), *case(output).shape[1:]), key
        tolerance = 0 if output.endswith("latent") else ROUNDING * max(1, np.abs(case(output)).max())
        np.testing.assert_allclose(rows, case(output)[: int(count)], rtol=0, atol=tolerance, err_msg=key)
    assert {int(key.rsplit("/", 1)[1]) for key in case.outputs} == set(COUNTS)


@every_model
def test_images_are_between_0_and_1(served, name):
    for key, rows in served[name].outputs.items():
        if "/image/" in key and len(rows):
            assert rows.min() >= 0
            assert rows.max() <= 1


@every_model
def test_signatures_have_the_names_types_and_shapes_that_others_rely_on(served, name):
    case = served[name]
    latent, image = ((None, *shape) for shape in (case.model.latent_shape, case.model.image_shape))
    decode = {"latent": ("float32", latent)}, {"image": ("float32", image)}
    sample = {"seed": ("int64", (None,))}, {"image": ("float32", image), "latent": ("float32", latent)}
    encode = {"image": ("float32", image)}, {"mean": ("float32", latent), "log_var": ("float32", latent)}
    reconstruct = {"image": ("float32", image)}, {"image": ("float32", image)}
    score = {"image": ("float32", image), "seed": ("int64", (None,))}, {"score": ("float32", (None,))}
    expected = {
        "decoder": {"serving_default": decode, "decode": decode, "sample": sample},
        "encoder": {"serving_default": encode, "encode": encode, "reconstruct": reconstruct, "score": score},
    }
    memory = case.model.likelihood_memory
    if memory is not None and not memory.is_known():  # untrained: there is no variance to score by
        del expected["encoder"]["score"]

    def described(tensors):
        return {
            key: (tf.as_dtype(info.dtype).name, tuple(tf.TensorShape(info.tensor_shape)))
            for key, info in tensors.items()
        }

    for servable, signatures in expected.items():
        stored = saved_model(case.folder / servable / "1").signature_def
        found = {
            key: (described(stored[key].inputs), described(stored[key].outputs))
            for key in stored
            if not key.startswith("__")
        }
        assert found == signatures


def test_serving_default_is_the_first_signature(served):
    case = served["vector"]
    for servable, signature, output in (("decoder", "decode", "image"), ("encoder", "encode", "mean")):
        default, named = (
            case(f"{servable}/serving_default/{output}"),
            case(f"{servable}/{signature}/{output}"),
        )
        np.testing.assert_array_equal(default, named)


@pytest.mark.parametrize("name", [name for name in MODELS if "bfloat16" in name])
@pytest.mark.parametrize("servable", ["decoder", "encoder"])
def test_nothing_in_the_graph_of_a_mixed_model_is_of_16_bits(served, name, servable):
    graph = saved_model(served[name].folder / servable / "1").graph_def
    types = {
        tf.as_dtype(attribute.type).name
        for function in graph.library.function
        for node in function.node_def
        for attribute in node.attr.values()
        if attribute.type
    }
    assert "float32" in types
    assert not types & {"bfloat16", "float16"}


def test_different_seeds_draw_different_codes_over_all_of_int64(served):
    codes = served["vector"]("decoder/sample/latent")
    assert len(np.unique(codes)) == codes.size


def test_seeds_in_a_row_draw_standard_normal_codes_that_do_not_depend_on_each_other():
    codes = PriorSampler((2, 2, 5)).sample(np.arange(2000)).numpy().reshape(2000, 20)
    # Mean of 40,000: standard deviation 0.005; variance: 0.007; correlation at lag 1 of 38,000: 0.005.
    assert abs(codes.mean()) < 0.02
    assert abs(codes.var() - 1) < 0.03
    assert abs((codes[1:] * codes[:-1]).mean()) < 0.02
    assert abs((codes[:, 1:] * codes[:, :-1]).mean()) < 0.02


def test_a_further_stream_of_noise_is_independent_of_the_first():
    first, second = (standard_normal(np.arange(2000), (10,), stream=stream).numpy() for stream in (0, 1))
    assert abs((first * second).mean()) < 0.03  # standard deviation 0.007


def test_the_priors_log_density_is_the_standard_normals():
    # -d/2 log(2 pi) at 0; one half of the squared norm less elsewhere.
    codes = np.zeros((2, 2, 2, 3), "float32")
    codes[1, 0, 0, :2] = 3, 4
    at_zero = -6 * math.log(2 * math.pi)
    np.testing.assert_allclose(PriorSampler((2, 2, 3)).log_prob(codes), [at_zero, at_zero - 12.5], rtol=1e-6)


@dataclass(frozen=True)
class Shifted:
    """A sampler around another point, for the tests."""

    latent_shape: tuple[int, ...]
    center: np.ndarray

    def sample(self, seeds):
        return self.center + 0.1 * standard_normal(seeds, self.latent_shape)


@pytest.mark.long
def test_the_decoder_alone_is_exported_anew_with_another_sampler_and_the_old_version_stays(tmp_path):
    model = make("vector")
    export(model, tmp_path)
    before = content(tmp_path / "decoder" / "1")
    center = np.array([1.0, -2.0, 3.0], "float32")
    path = export_decoder(model, tmp_path, Shifted((3,), center))
    assert path == tmp_path / "decoder" / "2"
    assert content(tmp_path / "decoder" / "1") == before
    assert names(tmp_path / "encoder") == ["1"]
    old, new = (tf.saved_model.load(str(tmp_path / "decoder" / version)) for version in "12")
    codes = new.signatures["sample"](seed=tf.range(64, dtype="int64"))["latent"].numpy()
    np.testing.assert_allclose(codes.mean(axis=0), center, atol=0.06)  # standard error 0.0125
    latent = tf.constant(codes)
    np.testing.assert_array_equal(
        new.signatures["decode"](latent=latent)["image"], old.signatures["decode"](latent=latent)["image"]
    )


def test_a_sampler_of_another_latent_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match="codes of shape 4, but the decoder expects 3"):
        export(make("vector"), tmp_path, PriorSampler((4,)))
    assert names(tmp_path) == []


@pytest.mark.long
def test_a_new_version_is_one_above_the_largest_number_of_its_own_folder(tmp_path):
    model = make("vector")
    for name in ("2", "10", "11x", ".unfinished-5", "-12"):
        (tmp_path / "encoder" / name).mkdir(parents=True)
    (tmp_path / "encoder" / "12").write_text("a file that somebody left")
    assert export(model, tmp_path) == {
        "decoder": tmp_path / "decoder" / "1",
        "encoder": tmp_path / "encoder" / "13",
    }
    assert export_encoder(model, tmp_path) == tmp_path / "encoder" / "14"
    assert names(tmp_path / "decoder") == ["1"]


@pytest.mark.long
def test_processes_that_publish_at_once_neither_clash_nor_lose_a_version(tmp_path):
    script = textwrap.dedent("""
        import json, pathlib, sys, time
        from keras_vae.export.saved_models import publish
        folder, process = pathlib.Path(sys.argv[1]), sys.argv[2]
        (folder / f"ready-{process}").touch()
        while not (folder / "go").exists():
            pass
        paths = {}
        for index in range(40):
            unfinished = folder / f".unfinished-{process}-{index}"
            unfinished.mkdir()
            (unfinished / "who").write_text(f"{process} {index}")
            paths[publish(unfinished).name] = f"{process} {index}"
        print(json.dumps(paths))
    """)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, tmp_path, str(number)], stdout=subprocess.PIPE, text=True
        )
        for number in range(3)
    ]
    while len(list(tmp_path.glob("ready-*"))) < 3:
        assert all(process.poll() is None for process in processes)
    (tmp_path / "go").touch()
    paths = {}
    for process in processes:
        answer, _ = process.communicate()
        assert process.returncode == 0
        paths |= json.loads(answer)
    assert sorted(map(int, paths)) == list(range(1, 121))
    assert paths == {name: (tmp_path / name / "who").read_text() for name in paths}
    assert not list(tmp_path.glob(".unfinished*"))


def test_publishing_never_replaces_an_old_version(tmp_path):
    for text in ("first", "second"):
        unfinished = tmp_path / ".unfinished"
        unfinished.mkdir()
        (unfinished / "text").write_text(text)
        publish(unfinished)
    assert (tmp_path / "1" / "text").read_text() == "first"
    assert (tmp_path / "2" / "text").read_text() == "second"


@pytest.mark.long
def test_a_version_describes_its_model(tmp_path):
    objective = {"kind": "beta_vae", "beta": 4.0, "warmup": 10, "reduction": "mean"}
    model = make("spatial", objective=objective, likelihood={"kind": "gaussian", "sigma": 0.25})
    paths = export(model, tmp_path)
    for path in paths.values():
        assert Description.read(path) == Description.of(model)
    written = json.loads((paths["decoder"] / "assets.extra" / "keras_vae.json").read_text())
    assert written.pop("objective").items() >= objective.items()  # and the fields that were left out
    assert written == {
        "image_shape": [8, 8, 1],
        "latent_shape": [4, 4, 2],
        "likelihood": {"kind": "gaussian", "sigma": 0.25},
        "effective_beta": 4.0 * 64 / 32,
        "num_classes": 0,
        "label_names": [],
        "prior": "standard",
        "value_range": [],
    }


def test_a_folder_without_a_description_has_none(tmp_path):
    assert Description.read(tmp_path) is None


@pytest.mark.long
@pytest.mark.parametrize(
    "likelihood", ["bernoulli", "gaussian_learned", "gaussian_per_pixel", "logistic_mixture"]
)
def test_a_loaded_decoder_gives_all_that_the_likelihood_takes(likelihood, tmp_path):
    model = make("vector", likelihood=likelihood)
    inputs = make_inputs(model)
    decoder = tf.saved_model.load(str(export_decoder(model, tmp_path)))
    parameters = decoder.parameters(tf.constant(inputs["latent"]))
    np.testing.assert_array_equal(parameters, compiled(model.decoder, inputs["latent"]))
    own = model.likelihood.log_prob(inputs["image"], model.decoder(inputs["latent"], training=False))
    np.testing.assert_allclose(model.likelihood.log_prob(inputs["image"], parameters), own, rtol=1e-5)


@pytest.mark.long
def test_what_a_killed_export_left_is_swept_by_the_next_one(tmp_path):
    script = textwrap.dedent("""
        import os, signal, sys
        import tensorflow as tf
        from keras_vae.model.autoencoder import VAE
        from keras_vae.export.saved_models import export
        save = tf.saved_model.save

        def save_and_die(*arguments):
            save(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)

        tf.saved_model.save = save_and_die
        export(VAE((4, 4, 1), 2), sys.argv[1])
    """)
    process = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True)
    assert process.returncode == -signal.SIGKILL, process.stderr
    (left,) = (tmp_path / "decoder").iterdir()
    assert left.name.startswith(".writing-")
    assert (left / "saved_model.pb").is_file()
    export(make("vector"), tmp_path)
    assert names(tmp_path / "decoder") == names(tmp_path / "encoder") == ["1"]


def test_what_another_process_is_writing_is_left_alone(tmp_path):
    with unfinished_version(
        tmp_path
    ) as folder:  # a lock is that of an opened file: this process has it as another
        (folder / "half").write_text("of it")
        with unfinished_version(tmp_path) as other:
            assert {folder.name, other.name} == set(names(tmp_path))
        assert names(tmp_path) == [folder.name]
        assert names(folder) == ["half"]
    assert not tmp_path.exists()  # it was empty


@pytest.fixture
def no_room():
    """No file of more than 4,000 bytes can be written, as on a disk that fills up while weights are written."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_write_that_fails_halfway_leaves_nothing_behind_and_the_old_version_as_it_was(tmp_path, no_room):
    model = make("vector")
    export_decoder(model, tmp_path)
    before = content(tmp_path)
    no_room()
    with pytest.raises(OSError, match=r"cannot write a SavedModel into \S+decoder: File too large \("):
        export(model, tmp_path)
    assert content(tmp_path) == before
    assert names(tmp_path) == ["decoder"]
    assert names(tmp_path / "decoder") == ["1"]


@pytest.mark.long
def test_a_first_write_that_fails_leaves_no_empty_servable(tmp_path, no_room):
    model = make("vector")
    no_room()
    with pytest.raises(OSError, match="File too large"):
        export(model, tmp_path)
    assert names(tmp_path) == []


def test_a_file_where_the_folder_should_be_is_an_error_of_one_sentence(tmp_path):
    (tmp_path / "serving").write_text("no folder")
    with pytest.raises(
        OSError, match=r"cannot write a SavedModel into \S+serving/decoder: Not a directory"
    ) as caught:
        export(make("vector"), tmp_path / "serving")
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == ["serving"]


@pytest.mark.long
def test_a_latent_of_65536_is_exported_with_every_weight_stored_once(tmp_path):
    model = VAE((32, 32, 1), latent="8x8x1024")
    paths = export(model, tmp_path)
    for servable, weights in (("decoder", model.decoder.count_params()), ("encoder", model.count_params())):
        stored = sum(map(len, content(paths[servable]).values()))
        graph = 350_000  # functions, names and checkpoint bookkeeping; `score` is 100 kB of it
        assert 4 * weights < stored < 4 * weights + graph
        assert graph < 4 * weights / 2  # half of the weights stored twice would be seen
    sample = tf.saved_model.load(str(paths["decoder"])).signatures["sample"]
    drawn = sample(seed=tf.constant([5], "int64"))
    np.testing.assert_array_equal(drawn["image"], compiled(model.decode, drawn["latent"].numpy()))


def test_export_says_nothing_and_warns_of_nothing(tmp_path, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = make("vector", objective={"kind": "beta_vae", "beta": 1.0})
        export(model, tmp_path)
    assert capfd.readouterr() == ("", "")


def test_export_shows_no_notes_of_tensorflow_in_a_notebook(tmp_path):
    logger, noted = tf.get_logger(), []
    handler, level = logging.Handler(), logger.level
    handler.emit = noted.append
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)  # as TensorFlow has it in interactive sessions
    try:
        model = make("vector")
        model.export(tmp_path / "whole", verbose=False)
        export(model, tmp_path)
        assert logger.level == logging.INFO
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
    assert noted == []


def test_the_models_own_advice_is_not_given_once_more_at_export(tmp_path):
    with pytest.warns(UserWarning, match="effective beta of 50"):
        model = make("vector", objective={"kind": "beta_vae", "beta": 50.0})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export_encoder(model, tmp_path)


def test_export_leaves_pythons_generator_as_it_was(tmp_path):
    model = make("bfloat16")
    state = random.getstate()
    export_encoder(model, tmp_path)
    assert random.getstate() == state


@pytest.mark.long
def test_what_training_changed_is_what_is_exported(tmp_path):
    model = make("vector")
    images = make_inputs(model)["image"]
    before = compiled(model.decode, make_inputs(model)["latent"]).numpy()
    model.compile("adam")
    model.fit(images, epochs=3, verbose=0)
    decode = tf.saved_model.load(str(export(model, tmp_path)["decoder"])).signatures["decode"]
    latent = make_inputs(model)["latent"]
    exported = decode(latent=tf.constant(latent))["image"].numpy()
    np.testing.assert_array_equal(exported, compiled(model.decode, latent))
    assert np.abs(exported - before).max() > 1e-4


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """A decoder that samples by flow matching with labels, its sampler, and the loaded SavedModel."""
    model = VAE(image_shape=GREY, latent=3, network=SMALL)
    generator = np.random.default_rng(0)
    label = generator.integers(0, 2, 600)
    mean = (np.where(label == 1, 2, -2)[:, None] + 0.1 * generator.standard_normal((600, 3))).astype(
        "float32"
    )
    sampler = FlowMatching((3,), width=32, updates=400, minutes=5.0)
    sampler = sampler.fit(Codes(mean, np.full(mean.shape, -6.0, "float32")), labels=label)
    version = export_decoder(model, tmp_path_factory.mktemp("classes"), sampler, ("cat", "dog"))
    return model, sampler, version, tf.saved_model.load(str(version))


@pytest.mark.long
def test_a_model_without_labels_can_be_asked_for_a_class(classes):
    model, sampler, version, loaded = classes
    seeds, labels = tf.constant([5, 5, 7], "int64"), tf.constant([0, 1, 1], "int64")
    answer = loaded.signatures["sample_class"](seed=seeds, label=labels)
    np.testing.assert_allclose(answer["latent"], sampler.sample_class(seeds, labels), atol=1e-4)
    np.testing.assert_allclose(answer["image"], model.decode(answer["latent"]), atol=1e-4)
    np.testing.assert_array_equal(np.sign(answer["latent"].numpy().mean(axis=1)), [-1, 1, 1])
    assert Description.read(version).sampled_classes == ("cat", "dog")
    assert list(loaded.signatures["sample"].structured_input_signature[1]) == ["seed"]
    one = loaded.signatures["sample_class"](seed=seeds[2:], label=labels[2:])
    np.testing.assert_allclose(one["latent"][0], answer["latent"][2], atol=1e-4)


@pytest.mark.long
def test_a_class_that_there_is_not_is_refused(classes):
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected to be 0 to"):
        classes[3].signatures["sample_class"](seed=tf.constant([1], "int64"), label=tf.constant([2], "int64"))


def test_samplers_without_classes_have_no_such_signature(tmp_path):
    version = export_decoder(VAE(image_shape=GREY, latent=3, network=SMALL), tmp_path)
    assert "sample_class" not in tf.saved_model.load(str(version)).signatures
    assert Description.read(version).sampled_classes == ()
