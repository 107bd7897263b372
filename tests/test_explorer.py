"""What the explorer knows of a run, its routes, its one file, and its files for TensorBoard."""

import base64
import dataclasses
import json
import pathlib
import re
import shutil
import subprocess

import fastapi
import keras
import numpy as np
import pytest
import scipy.stats
from explorer_runs import shared_folder, trained
from fastapi.testclient import TestClient
from PIL import Image

import keras_vae.explorer
from keras_vae import DATASETS, Autoencoder, load_dataset
from keras_vae.cli.evaluate import main as evaluate
from keras_vae.cli.explore import main
from keras_vae.errors import UsageError
from keras_vae.evaluation.metrics.manifold import DEAD_ZONE_SHARE
from keras_vae.explorer import dead_zones
from keras_vae.explorer.kept import Kept
from keras_vae.explorer.live import explorer_routes
from keras_vae.explorer.network import CannotCompute, FeatureMaps, computable
from keras_vae.explorer.packing import to_text
from keras_vae.explorer.page import static_page
from keras_vae.explorer.projector import write_projector
from keras_vae.explorer.world import World, principal_axes
from keras_vae.layers.densities import bernoulli_log_density, gaussian_log_density
from keras_vae.samplers import save
from keras_vae.training.config import Config
from keras_vae.training.run_folder import Run


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = shared_folder(tmp_path_factory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        yield folder


@pytest.fixture(scope="module")
def two(place):
    return World(trained(place, "two"))


@pytest.fixture(scope="module")
def plain(place):
    return World(trained(place, "plain"))


@pytest.fixture(scope="module")
def six(place):
    return World(trained(place, "six"))


@pytest.fixture(scope="module")
def conditional(place):
    return World(trained(place, "conditional"))


@pytest.fixture(scope="module")
def client(two, six, conditional):
    app = fastapi.FastAPI()
    explorer_routes(app, [two.run, six.run, conditional.run])
    return TestClient(app)


def unpacked(value):
    """The inverse of packing, written anew."""
    if isinstance(value, dict) and "dtype" in value:
        return np.frombuffer(base64.b64decode(value["data"]), value["dtype"]).reshape(value["shape"])
    if isinstance(value, dict):
        return {key: unpacked(part) for key, part in value.items()}
    return [unpacked(part) for part in value] if isinstance(value, list) else value


def test_arrays_in_json_come_back_as_they_were():
    arrays = {
        "a": np.arange(6, dtype="float32").reshape(2, 3),
        "b": [np.array([0, 255], "uint8"), np.array([-7], "int32")],
    }
    back = unpacked(json.loads(to_text(arrays)))
    np.testing.assert_array_equal(back["a"], arrays["a"])
    np.testing.assert_array_equal(back["b"][0], arrays["b"][0])
    np.testing.assert_array_equal(back["b"][1], arrays["b"][1])


def test_numbers_that_json_lacks_become_null():
    assert to_text({"rate": float("nan"), "other": 1.5}) == '{"rate":null,"other":1.5}'


def test_arrays_of_other_types_are_refused():
    with pytest.raises(TypeError, match="float64"):
        to_text(np.zeros(2))


def test_the_map_of_two_numbers_is_these_numbers(two):
    np.testing.assert_array_equal(two.coordinates, two.codes.mean)


def test_axes_of_a_larger_latent_are_orthonormal_and_sorted_by_variance(six):
    center, directions = six.axes
    np.testing.assert_allclose(directions @ directions.T, np.eye(len(directions)), atol=1e-4)
    along = (six.training_codes.mean.reshape(-1, 6) - center) @ directions.T
    np.testing.assert_allclose(along.mean(axis=0), 0, atol=1e-3)
    assert (np.diff(along.var(axis=0)) <= 1e-6).all()


def test_all_directions_together_give_the_code_back(six):
    center, directions = six.axes
    assert len(directions) == 6
    np.testing.assert_allclose(center + six.coordinates @ directions, six.codes.mean, atol=1e-4)


def test_the_map_is_a_square_that_holds_all_codes(two):
    left, right, bottom, top = two.bounds
    assert right - left == pytest.approx(top - bottom)
    assert left < min(-3, two.coordinates[:, 0].min())
    assert top > max(3, two.coordinates[:, 1].max())


@pytest.mark.long
def test_facts_name_what_they_show(two):
    facts = two.facts
    assert facts["objective"] == "vae"
    assert facts["image_shape"] == [8, 8, 1]
    assert facts["label_names"] == [str(digit) for digit in range(10)]
    assert len(facts["labels"]) == len(facts["images"]) == len(facts["coordinates"])
    assert not facts["has_embedding"]  # two numbers need none


def test_rate_and_distortion_of_an_image_are_those_of_their_formulas(six):
    image = six.images[3].astype("float32") / 255
    found = six.encode(image)
    mean, log_var = (np.asarray(part)[0] for part in six.model.encode(image[None]))
    rate = 0.5 * np.sum(np.square(mean) + np.exp(log_var) - 1 - log_var)
    logits = six.model.decoder(mean[None], training=False)
    distortion = -np.asarray(bernoulli_log_density(image[None], logits)).sum()
    assert found["rate"] == pytest.approx(rate, rel=1e-4)
    assert found["distortion"] == pytest.approx(distortion, rel=1e-4)


def test_distortion_under_the_best_variance_takes_that_of_the_map(two):
    image = two.images[5].astype("float32") / 255
    found = two.encode(image)
    decoded = np.asarray(two.model.decoder(found["mean"][None], training=False))  # not clipped
    errors = two.decode(two.codes.mean) / 255.0 - two.images / 255.0
    expected = -np.asarray(
        gaussian_log_density(image[None], decoded, float(np.log(np.mean(errors**2))))
    ).sum()
    assert found["distortion"] == pytest.approx(expected, rel=1e-3)


def test_samples_depend_on_their_seed_alone(six):
    for source in six.samplers:
        together, alone = six.sample(source, [4, 5, 6]), six.sample(source, [5])
        np.testing.assert_allclose(together[1], alone[0], rtol=1e-5)


@pytest.mark.long
def test_few_reconstructions_are_dead_and_noise_is(two):
    """The unit of the shading is the distance that 95% of the reconstructions keep."""
    codes, two_cells = two.subject.encode(two.dataset.test.images())[0], dead_zones.cells_of(two) ** 2
    repeated, decode = np.resize(codes, (two_cells, 2)), World.decode
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dead_zones, "grid_codes", lambda world, side: repeated)
        assert dead_zones.shade(two)["map_share"] == pytest.approx(DEAD_ZONE_SHARE, abs=0.02)
        noise = np.random.default_rng(0).integers(0, 256, (two_cells, 8, 8, 1)).astype("uint8")
        patch.setattr(
            World,
            "decode",
            lambda world, codes, labels=None: (
                noise if len(codes) == two_cells else decode(world, codes, labels)
            ),
        )
        assert dead_zones.shade(two)["map_share"] > 0.9


def in_pixels(world):
    """The dead zone of samples from N(0, I), written anew: distances between images as they are, to held-out ones."""

    def rows(images):
        return np.asarray(images, "float64").reshape(len(images), -1)

    def nearest(images):
        return np.sqrt(np.square(rows(images)[:, None] - reference).sum(-1).min(1))

    reference = rows(world.dataset.validation.images())
    measured = world.dataset.test.images()
    decoded = world.model.decode(world.model.encode(measured)[0])
    allowed = np.quantile(nearest(decoded), 0.95, method="higher")
    samples = world.model.decode(world.sample("prior", range(len(measured))))
    return (np.mean(nearest(samples) > allowed) - 0.05) / 0.95


def test_the_share_of_dead_samples_is_that_of_the_report(two, plain):
    """Of held-out images, as `evaluate.py` has them, so that two models are in the order of their reports."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            dead_zones,
            "choose_features",
            lambda *_: lambda images: np.asarray(images, "float32").reshape(len(images), -1),
        )
        for world in (two, plain):
            # 8 bits a channel move a sample or two over the threshold.
            assert dead_zones.shade(world)["share"] == pytest.approx(max(in_pixels(world), 0), abs=0.02)


def test_dead_zones_without_held_out_images_are_by_training_images(two):
    few = dataclasses.replace(
        two.dataset, validation=two.dataset.validation.take(2), test=two.dataset.test.take(2)
    )
    split, own, images = dead_zones.compared(few)
    assert len(split) == len(own) == len(images) == 400
    np.testing.assert_array_equal(split.images(), images[own])


def test_the_first_row_of_the_shading_is_the_bottom_of_the_map(two):
    from keras_vae.explorer.dead_zones import grid_codes

    codes = grid_codes(two, 4).reshape(4, 4, 2)
    left, right, bottom, _ = two.bounds
    step = (right - left) / 4
    np.testing.assert_allclose(codes[0, 0], [left + step / 2, bottom + step / 2], rtol=1e-5)
    np.testing.assert_allclose(codes[0, 1] - codes[0, 0], [step, 0], atol=1e-5)


def test_feature_maps_are_what_the_layer_puts_out(six):
    maps = FeatureMaps(six.model)
    image = six.images[0].astype("float32") / 255
    first = six.model.encoder.get_layer("down_0_0")
    np.testing.assert_allclose(
        maps("encoder", "down_0_0", image), np.moveaxis(np.asarray(first(image[None]))[0], -1, 0), atol=1e-5
    )
    mean = maps("encoder", "mean", image)
    assert mean.shape == (1, 1, 6)
    np.testing.assert_allclose(mean[0, 0], np.asarray(six.model.encode(image[None])[0])[0], atol=1e-5)
    with pytest.raises(KeyError):
        maps("encoder", "no such layer", image)


def test_a_run_without_a_model_is_refused(tmp_path):
    run = Run.create(Config(output=str(tmp_path)), "empty")
    with pytest.raises(UsageError, match=r"no model\.keras yet"):
        World(run).model  # noqa: B018


def test_a_run_whose_data_are_gone_says_so(tmp_path, two):
    shutil.copytree(two.run.path, tmp_path / "moved")
    run = Run.open(tmp_path / "moved")
    gone = DATASETS["arrays"](path=str(tmp_path / "gone.npz"))
    run.write_config(dataclasses.replace(run.read_config(), dataset=gone))
    app = fastapi.FastAPI()
    explorer_routes(app, [Run.open(tmp_path / "moved")])
    answer = TestClient(app, raise_server_exceptions=False).get("/explorer/api/0/world")
    assert answer.status_code == 400
    assert "gone.npz" in answer.json()["error"]


def test_a_codebook_is_left_to_a_grid_of_pictures(two):
    model = Autoencoder((8, 8, 1), "4x4x2", objective="vq_vae")

    class Other(World):
        pass

    Other.model = model
    with pytest.raises(CannotCompute, match="Codebook"):
        computable(Other(two.run))


def test_a_learned_prior_is_cooled_towards_its_own_mean(two, monkeypatch):
    model = Autoencoder((8, 8, 1), 2, prior="mixture")
    for weight in model.prior_layer.weights:
        if "mean" in weight.path:
            weight.assign(weight + 5.0)
    other = World(two.run)
    monkeypatch.setitem(vars(other), "model", model)
    draws = other.sample("prior", range(400))
    np.testing.assert_allclose(other.mean_of("prior"), draws.mean(axis=0))
    assert other.mean_of("prior").min() > 4
    assert not two.mean_of("prior").any()
    assert two.facts["standard"]


# Conditional runs.


def test_codes_of_a_conditional_run_are_those_under_the_images_own_labels(conditional):
    labels = conditional.facts["labels"]
    images = conditional.images[:20].astype("float32") / 255
    mean, log_var = (np.asarray(part) for part in conditional.model.encode(images, labels[:20]))
    np.testing.assert_allclose(conditional.codes.mean[:20], mean, atol=1e-5)
    np.testing.assert_allclose(conditional.codes.log_var[:20], log_var, atol=1e-5)
    train = conditional.dataset.train
    own = np.asarray(conditional.model.encode(train.images(0, 5), train.labels[:5])[0])
    np.testing.assert_allclose(conditional.training_codes.mean[:5], own, atol=1e-5)


def test_an_image_is_measured_under_the_label_that_is_told(conditional):
    image, found = conditional.images[3].astype("float32") / 255, {}
    for label in (2, 7):
        found[label] = conditional.encode(image, label)
        mean, log_var = (np.asarray(part)[0] for part in conditional.model.encode(image[None], [label]))
        assert found[label]["rate"] == pytest.approx(
            0.5 * np.sum(mean**2 + np.exp(log_var) - 1 - log_var), rel=1e-4
        )
        codes = conditional.model.labelled(mean[None], [label])
        decoded = np.asarray(conditional.model.decoder(codes, training=False))  # not clipped
        log_var_of_pixels = 2 * float(np.log(conditional.sigma))
        distortion = -np.asarray(gaussian_log_density(image[None], decoded, log_var_of_pixels)).sum()
        assert found[label]["distortion"] == pytest.approx(distortion, rel=1e-3)
        np.testing.assert_allclose(found[label]["image"] / 255, np.clip(decoded[0], 0, 1), atol=0.003)
    assert abs(found[2]["distortion"] - found[7]["distortion"]) > 0.1


def test_dead_zones_of_a_conditional_run_are_those_of_each_label(conditional):
    """All together they have as many cells as four maps of 40 a side have."""
    distances = conditional.dead_zones["distances"]
    assert distances.shape == (10, 25, 25)
    assert conditional.dead_zones["map_share"] == pytest.approx((distances > 1).mean())
    assert np.abs(distances[1] - distances[8]).max() > 0.01


def test_a_conditional_run_in_one_file_and_in_the_projector(conditional):
    network = computable(conditional)
    assert network["encoder"]["layers"][0]["shape"] == [8, 8, 11]
    assert network["decoder"]["layers"][0]["shape"] == [12]
    codes = np.loadtxt(write_projector(conditional) / "codes.tsv", delimiter="\t")
    np.testing.assert_allclose(codes, conditional.codes.mean, rtol=1e-4, atol=1e-5)


def test_so_many_labels_that_their_pictures_fill_no_page_are_refused(conditional, monkeypatch):
    from keras_vae.explorer import page

    monkeypatch.setattr(page, "GRID_BUDGET", 64 * 10 * page.GRID_SIDES[0] ** 2 - 1)
    with pytest.raises(UsageError, match=r"10 labels are too large for one file \(show it live"):
        page.picture_grid(conditional, {}, "it is too large")


# The routes.


def floats(response):
    return np.frombuffer(response.content, "<f4")


def test_the_page_and_its_files_are_served(client):
    page = client.get("/")
    assert page.status_code == 200
    imports = json.loads(re.search(r'<script type="importmap">(.*?)</script>', page.text)[1])["imports"]
    for path in imports.values():
        answer = client.get("/" + path.removeprefix("./"))
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/javascript")
    assert client.get("/explorer/static/style.css").headers["content-type"].startswith("text/css")


def test_decode_gives_the_models_own_images(client, six):
    codes = np.random.default_rng(0).standard_normal((3, 6)).astype("<f4")
    answer = client.post("/explorer/api/1/decode", content=codes.tobytes())
    images = np.frombuffer(answer.content, "uint8").reshape(3, 8, 8, 1)
    np.testing.assert_allclose(images / 255, np.asarray(six.model.decode(codes)), atol=0.5 / 255 + 1e-5)


def test_a_conditional_run_decodes_as_the_label_that_is_asked_for(client, conditional):
    codes = np.random.default_rng(0).standard_normal((3, 2)).astype("<f4")
    for label in (0, 9):
        answer = client.post(f"/explorer/api/2/decode?label={label}", content=codes.tobytes())
        images = np.frombuffer(answer.content, "uint8").reshape(3, 8, 8, 1)
        expected = np.clip(conditional.model.decode(codes, [label] * 3), 0, 1)
        np.testing.assert_allclose(images / 255, expected, atol=0.5 / 255 + 1e-5)
    value = (conditional.images[0] / 255).astype("<f4")
    answer = client.post(
        "/explorer/api/2/layer",
        params={"part": "encoder", "name": "down_0_0", "label": 4},
        content=value.tobytes(),
    )
    told = conditional.model.labelled(value[None], [4])
    expected = np.moveaxis(np.asarray(conditional.model.encoder.get_layer("down_0_0")(told))[0], -1, 0)
    np.testing.assert_allclose(unpacked(answer.json())["maps"], expected, atol=1e-5)


def test_encode_gives_code_and_reconstruction(client, six):
    image = (six.images[2] / 255).astype("<f4")
    found = unpacked(client.post("/explorer/api/1/encode", content=image.tobytes()).json())
    mean, log_var = (np.asarray(part)[0] for part in six.model.encode(image[None]))
    np.testing.assert_allclose(found["mean"], mean, atol=1e-5)
    np.testing.assert_allclose(found["log_var"], log_var, atol=1e-5)
    np.testing.assert_allclose(found["image"] / 255, np.asarray(six.model.decode(mean[None]))[0], atol=0.003)


def test_the_world_is_the_facts(client, two):
    answer = client.get("/explorer/api/0/world")
    found = unpacked(answer.json())
    np.testing.assert_array_equal(found["images"], two.images)
    np.testing.assert_allclose(found["coordinates"], two.coordinates, atol=1e-5)
    assert client.get("/explorer/api/runs").json() == ["two", "six", "conditional"]


def test_samples_are_those_of_the_sampler(client, six):
    answer = client.get("/explorer/api/1/sample", params={"source": "mixture", "first": 7, "count": 4})
    np.testing.assert_allclose(floats(answer).reshape(4, 6), six.sample("mixture", range(7, 11)), rtol=1e-4)


def test_layer_gives_feature_maps(client, six):
    code = np.ones(6, "<f4")
    answer = client.post(
        "/explorer/api/1/layer", params={"part": "decoder", "name": "reshape"}, content=code.tobytes()
    )
    maps = unpacked(answer.json())["maps"]
    np.testing.assert_allclose(maps, FeatureMaps(six.model)("decoder", "reshape", code), atol=1e-5)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("POST", "1/decode", b"12345", 400, "rows of 6 float32"),
        ("POST", "1/decode", b"", 400, "rows of 6 float32"),
        ("POST", "1/decode", bytes(4 * 6 * 600), 413, "longer than"),
        ("POST", "1/decode", np.full(6, np.nan, "<f4").tobytes(), 400, "NaN"),
        ("POST", "1/encode", bytes(4 * 64 * 2), 413, "longer than"),
        ("POST", "9/decode", bytes(8), 404, "no run 9"),
        ("POST", "one/decode", bytes(8), 400, "whole number"),
        ("GET", "1/sample?source=none&first=0&count=1", None, 400, "expected one of prior"),
        ("GET", "1/sample?source=prior&first=0&count=100000", None, 400, "count is 100000"),
        ("GET", "1/sample?source=prior&first=x&count=1", None, 400, "whole number"),
        ("POST", "1/layer?part=middle&name=mean", bytes(24), 400, "encoder or decoder"),
        ("POST", "2/decode", bytes(8), 400, "label is ''"),
        ("POST", "2/encode?label=10", bytes(4 * 64), 400, "label is 10: expected 0 to 9"),
        ("POST", "1/layer?part=decoder&name=none", bytes(24), 404, "no layer"),
    ],
)
def test_bad_requests_get_a_sentence(client, method, path, body, status, words):
    answer = client.request(method, f"/explorer/api/{path}", content=body)
    assert answer.status_code == status
    assert words in answer.json()["error"]


def test_no_file_outside_the_report_or_the_page_is_served(client, two):
    two.run.report.mkdir(exist_ok=True)
    (two.run.report / "index.html").write_text("<h1>the report</h1>")
    assert client.get("/explorer/report/0/index.html").text == "<h1>the report</h1>"
    for path in (
        "report/0/..%2Fconfig.json",
        "report/0/%2E%2E/config.json",
        "static/..%2Fworld.py",
        "report/0/",
    ):
        assert client.get(f"/explorer/{path}").status_code == 404
    (two.run.report / "index.html").unlink()


# One file.


@pytest.mark.long
def test_the_page_in_one_file_needs_nothing_else(six):
    page = static_page([six])
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert "fetch(" not in page  # modules are in base64: nothing in plain text asks for anything
    data = re.search(r'<script type="application/json" id="worlds">(.*?)</script>', page, re.S)[1]
    (facts,) = unpacked(json.loads(data))
    np.testing.assert_allclose(facts["codes"]["prior"], six.sample("prior", range(256)), atol=1e-5)
    assert facts["network"]["mean"] == "sigmoid"


def test_names_cannot_end_the_script_they_stand_in(two, monkeypatch):
    monkeypatch.setattr(World, "name", "</script><script>alert(1)</script><!--")
    monkeypatch.setitem(two.facts, "name", "</script><script>alert(1)</script><!--")
    page = static_page([two])
    assert "<script>alert" not in page
    assert page.count("</script>") == 3
    data = re.search(r'id="worlds">(.*?)</script>', page, re.S)[1]
    assert json.loads(data)[0]["name"].startswith("</script>")


def test_the_command_writes_both(six, tmp_path, capsys):
    main([str(six.run.path), "--static", "--output", str(tmp_path / "page.html"), "--projector"])
    assert (tmp_path / "page.html").stat().st_size > 100_000
    assert (six.run.logs / "projector" / "codes.tsv").is_file()
    assert "needs no server" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [[], ["--static"], ["{run}"], ["{run}", "{run}", "{run}", "--static"], ["nowhere", "--static"]],
)
def test_the_command_refuses_what_it_cannot_do(arguments, two, capsys):
    with pytest.raises(SystemExit) as ended:
        main([argument.format(run=two.run.path) for argument in arguments])
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


# TensorBoard.


def test_projector_files_hold_codes_labels_and_pictures(six):
    from google.protobuf import text_format
    from tensorboard.plugins.projector import ProjectorConfig

    folder = write_projector(six)
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (embedding,) = config.embeddings
    codes = np.loadtxt(folder / embedding.tensor_path, delimiter="\t")
    np.testing.assert_allclose(codes, six.codes.mean, rtol=1e-4, atol=1e-5)
    labels = (folder / embedding.metadata_path).read_text().split("\n")[:-1]
    assert [int(label) for label in labels] == six.facts["labels"].tolist()
    width, height = embedding.sprite.single_image_dim
    sheet = np.asarray(Image.open(folder / embedding.sprite.image_path))
    columns = int(np.ceil(np.sqrt(len(codes))))  # as the plugin reads it
    row, column = divmod(20, columns)
    tile = sheet[row * height : (row + 1) * height, column * width : (column + 1) * width, 0]
    np.testing.assert_array_equal(tile, six.images[20, ..., 0])


def test_the_projector_plugin_finds_the_run(six):
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
    from tensorboard.plugins import base_plugin
    from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin

    write_projector(six)
    multiplexer = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(str(six.run.logs))
    multiplexer.Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(six.run.logs))
    context = base_plugin.TBContext(logdir=str(six.run.logs), data_provider=provider)
    plugin = ProjectorPlugin(context)
    plugin._update_configs()
    (embedding,) = plugin._configs["projector"].embeddings
    assert list(embedding.tensor_shape) == list(six.codes.mean.shape)


def test_labels_without_a_line_of_their_own_cannot_break_the_table(six, monkeypatch):
    monkeypatch.setitem(vars(six), "label_names", ["a\tb\nc", " "] + [str(digit) for digit in range(2, 10)])
    lines = (write_projector(six) / "metadata.tsv").read_text().split("\n")[:-1]
    assert len(lines) == len(six.images)
    assert {"a b c", "-"} <= set(lines)


def test_the_dataset_shown_is_the_one_trained_on(six):
    np.testing.assert_allclose(
        six.images[:5] / 255, load_dataset("digits").test.images(0, 5), atol=0.5 / 255 + 1e-6
    )


def test_a_model_of_mixed_precision_is_shown_in_float32(place, two):
    path = place / "mixed"
    keras.utils.set_random_seed(0)
    model = Autoencoder((8, 8, 1), 3, dtype="mixed_bfloat16", likelihood="gaussian")
    path.mkdir()
    Run(path).write_config(two.run.read_config())
    Run(path).write_model(model)
    world = World(Run(path))
    assert world.codes.mean.dtype == "float32"
    assert computable(world)["sigma"] == pytest.approx(0.1)


@pytest.mark.long
@pytest.mark.parametrize(
    ("latent", "made", "computed"),
    [
        ("2x2x3", {}, True),
        (1, {}, True),
        ("4x4x2", {"objective": "vq_vae"}, False),
        (4, {"objective": "iaf"}, False),
        (3, {"prior": "vamp"}, True),
        (3, {"likelihood": "discretized_logistic"}, False),
    ],
)
def test_every_kind_of_run_is_shown(latent, made, computed, place, two, monkeypatch):
    path = place / f"kind-{latent}-{'-'.join(made.values())}"
    model = Autoencoder((8, 8, 1), latent, **{"likelihood": "bernoulli", **made})
    path.mkdir()
    Run(path).write_config(two.run.read_config())
    Run(path).write_model(model)
    monkeypatch.setattr("keras_vae.explorer.dead_zones.CELLS", 8)
    monkeypatch.setattr("keras_vae.explorer.world.MOST_IMAGES", 40)
    world = World(Run(path))
    facts = unpacked(json.loads(to_text(world.facts)))
    assert world.layer("dead_zones")["distances"].shape == (1, 8, 8)
    assert list(world.layer("overlays")) == facts["samplers"] == list(world.samplers)
    assert np.isfinite(facts["coordinates"]).all()
    found = world.encode(world.images[0].astype("float32") / 255)
    assert found["mean"].shape == (model.dims.latents,)
    page = static_page([world])
    assert ('"network":{' in page) == computed
    assert ('"grid":{' in page) == (not computed)


# What is kept with a run.


def copied(run, place):
    shutil.copytree(run.path, place, ignore=shutil.ignore_patterns("explorer"))
    return Run.open(place)


def refuse(*_):
    raise AssertionError("this was kept")


def test_the_second_start_computes_nothing_until_something_has_changed(six, tmp_path, monkeypatch):
    run = copied(six.run, tmp_path / "run")
    first, mixture = World(run), six.samplers["mixture"]
    facts, layers = first.facts, {name: first.layer(name) for name in ("overlays", "dead_zones")}
    with monkeypatch.context() as patch:
        patch.setattr("keras_vae.explorer.world.load_model", refuse)
        patch.setattr("keras_vae.explorer.world.load_dataset", refuse)
        again = World(run)
        assert to_text(again.facts) == to_text(facts)
        assert {name: to_text(again.layer(name)) for name in layers} == {
            name: to_text(value) for name, value in layers.items()
        }
        file = run.path / "explorer" / "overlays.json"
        damaged = bytearray(file.read_bytes())
        damaged[-20] ^= 1
        file.write_bytes(damaged)
        assert to_text(World(run).facts) == to_text(facts)
        with pytest.raises(AssertionError, match="kept"):
            World(run).layer("overlays")
        save(mixture, run.path / "samplers" / "mixture.npz")
        # An evaluation also leaves the state of flow_matching's training there. It is not a sampler.
        np.savez(run.path / "samplers" / "flow_matching.training.npz", step=3)
        assert World(run).facts["samplers"] == [
            "prior",
            "mixture",
        ]  # now from its file; the map is still right
        with pytest.raises(AssertionError, match="kept"):
            World(run).layer("overlays")


def test_an_evaluation_leaves_what_the_page_opens_with(two, tmp_path, monkeypatch):
    run = copied(two.run, tmp_path / "run")
    evaluate([str(run.path), "--repair_minutes", "0"])
    monkeypatch.setattr("keras_vae.explorer.world.load_model", refuse)
    monkeypatch.setattr("keras_vae.explorer.world.load_dataset", refuse)
    assert World(run).facts["images"].shape[1:] == (8, 8, 1)


def test_values_of_a_run_that_cannot_be_written_to_are_kept_in_the_users_cache(two, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = copied(two.run, tmp_path / "run")
    run.path.chmod(0o555)
    try:
        assert Kept(run)("value", lambda: {"a": np.arange(3, dtype="int32")})["a"].tolist() == [0, 1, 2]
        assert Kept(run)("value", refuse)["a"].tolist() == [0, 1, 2]
        assert not (run.path / "explorer").exists()
        assert list((tmp_path / "cache").rglob("value.json"))
    finally:
        run.path.chmod(0o755)


def test_layers_of_the_map_follow_the_facts(client, six):
    world = client.get("/explorer/api/1/world").json()
    assert not {"overlays", "dead_zones", "embedding"} & set(world)
    found = unpacked(client.get("/explorer/api/1/map/overlays").json())["layer"]
    expected = six.along_axes(six.sample("prior", range(400)))[:, :2]
    np.testing.assert_allclose(found["prior"]["places"], expected, atol=1e-4)
    norms = np.square(six.sample("prior", range(400))).sum(axis=1)
    densities = -0.5 * (norms + 6 * np.log(2 * np.pi))
    np.testing.assert_allclose(found["prior"]["density"], [densities.mean(), densities.std()], rtol=1e-4)
    assert client.get("/explorer/api/1/map/weather").status_code == 404


def test_the_density_of_a_code_is_that_of_the_sampler(client, six):
    code = np.linspace(-1, 1, 6).astype("<f4")
    answer = client.post("/explorer/api/1/density?source=prior", content=code.tobytes())
    expected = scipy.stats.multivariate_normal(np.zeros(6)).logpdf(code)
    np.testing.assert_allclose(floats(answer), [expected], rtol=1e-5)
    answer = client.post("/explorer/api/1/density?source=mixture", content=code.tobytes())
    np.testing.assert_allclose(floats(answer), six.samplers["mixture"].log_prob(code[None]), rtol=1e-5)
    assert client.post("/explorer/api/1/density?source=none", content=code.tobytes()).status_code == 400


def test_shares_of_variance_add_up_where_all_directions_are_axes(six, two):
    variances = six.training_codes.mean.reshape(-1, 6).var(axis=0)
    assert six.facts["shares"].sum() == pytest.approx(1, abs=1e-4)
    assert (np.diff(six.facts["shares"]) <= 1e-6).all()
    expected = two.training_codes.mean.var(axis=0)
    np.testing.assert_allclose(two.facts["shares"], expected / expected.sum(), rtol=1e-4)
    assert variances.sum() > 0


@pytest.mark.parametrize(
    ("best", "recommended"),
    [(None, "mixture"), ("gaussian", "gaussian"), ("prior", "mixture"), ("gone", "mixture")],
)
def test_the_recommended_sampler_is_the_reports_or_else_not_the_gaussian(best, recommended, two):
    world = World(two.run)
    vars(world)["report"] = {"best_sampler": best}
    vars(world)["sampler_names"] = ["prior", "gaussian", "mixture"]
    assert world.recommended == recommended


def test_the_page_takes_verdict_sampler_and_dead_share_from_the_report(two, tmp_path, monkeypatch):
    results = {
        "verdict": {
            "name": "prior_hole",
            "findings": [{"cause": "a hole"}],
            "remedy": "sample from the mixture",
        },
        "generation_gap": {"best_sampler": "mixture", "features": {"name": "random"}},
        "completeness": {"dead_zone": 0.62},
    }
    monkeypatch.setattr("keras_vae.explorer.world.read_results", lambda path: results)
    monkeypatch.setattr("keras_vae.explorer.world.plain_words", lambda results: "It cannot generate")
    facts = World(copied(two.run, tmp_path / "run")).facts
    assert (facts["verdict"]["name"], facts["recommended"], facts["dead_share"]) == (
        "prior_hole",
        "mixture",
        0.62,
    )


@pytest.mark.skipif(shutil.which("tsc") is None, reason="tsc is not installed (npm's package typescript)")
def test_the_modules_pass_the_type_checker():
    settings = pathlib.Path(keras_vae.explorer.__file__).with_name("jsconfig.json")
    checked = subprocess.run(["tsc", "-p", settings], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_the_axes_have_the_signs_of_the_reports_map():
    codes = np.random.default_rng(0).standard_normal((50, 4)) * [3, 2, 1, 0.5]
    mirrored = principal_axes(-codes)["directions"]
    np.testing.assert_allclose(principal_axes(codes)["directions"], mirrored, atol=1e-5)
    assert (mirrored[np.arange(4), np.abs(mirrored).argmax(axis=1)] > 0).all()
