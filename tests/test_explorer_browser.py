"""The explorer in a real browser: what is dragged, slid, drawn and uploaded shows the model's own pictures."""

import contextlib
import json
import math
import threading
import time
import urllib.parse

import fastapi
import numpy as np
import pytest
from explorer_runs import shared_folder, trained
from PIL import Image

from keras_vae import Autoencoder
from keras_vae.evaluation.metrics import paths
from keras_vae.explorer import page as page_module
from keras_vae.explorer.live import explorer_routes
from keras_vae.explorer.network import FeatureMaps, graph
from keras_vae.explorer.packing import to_text
from keras_vae.explorer.page import static_page
from keras_vae.explorer.replay import replay_of
from keras_vae.explorer.world import World
from keras_vae.model.likelihoods import LIKELIHOODS
from keras_vae.model.networks import NETWORKS
from keras_vae.training.replay import read as read_replay

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
PATIENCE = 30  # seconds


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    folder = shared_folder(tmp_path_factory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        yield {name: World(trained(folder, name)) for name in ("two", "plain", "six", "conditional")}


@pytest.fixture(scope="module")
def site(worlds):
    """The address of a server of all runs: two, plain, six, conditional."""
    import uvicorn

    app = fastapi.FastAPI()
    explorer_routes(app, [world.run for world in worlds.values()])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join(10)


class Explorer:
    """A page of the explorer, and what a person sees on it."""

    def __init__(self, page):
        self.page, self.complaints = page, []
        page.set_default_timeout(120_000)
        page.add_init_script("try { localStorage.setItem('keras_vae tour', 'seen'); } catch {}")
        page.on("console", lambda message: message.type == "error" and self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, address):
        self.page.goto(address)
        self.page.wait_for_selector("#app[aria-busy=false]", timeout=120_000)
        return self

    def pixels(self, selector, number=0):
        """The canvas' picture, `[height, width, 3]`, uint8."""
        shape, data = self.page.eval_on_selector_all(
            selector,
            """(found, number) => { const canvas = found[number];
            const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            return [[canvas.height, canvas.width, 4], Array.from(data)]; }""",
            number,
        )
        return np.array(data, "uint8").reshape(shape)[..., :3]

    def shows(self, selector, expected, number=0, tolerance=2):
        """Waits until the canvas shows `expected()`, uint8 `[height, width, 1]`."""
        deadline = time.monotonic() + PATIENCE
        while True:
            worst = None
            with contextlib.suppress(playwright.Error, KeyError):
                seen, wanted = self.pixels(selector, number).astype(int), expected().astype(int)
                worst = np.abs(seen - wanted).max() if seen.shape[:2] == wanted.shape[:2] else "another size"
                if worst != "another size" and worst <= tolerance:
                    return
            assert time.monotonic() < deadline, f"{selector} is off by {worst} of 255"
            time.sleep(0.1)

    def state(self):
        """What the address says."""
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.page.url).fragment))

    def at(self):
        """The coordinates that the address says."""
        return np.array([float(value) for value in self.state()["at"].split()], "float32")

    def code(self, world):
        """The code that they stand for, where all directions are axes."""
        center, directions = world.axes
        return center + self.at() @ directions

    def resolve(self):
        """Waits until the address, which is written a moment later, is up to date: by the page's own clock."""
        self.page.evaluate(
            "() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => requestAnimationFrame(done), 500)))"
        )

    def tab(self, name):
        self.page.get_by_role("tab", name=name).click()

    def number(self, name):
        """A live number, None if the page shows a dash."""
        text = self.page.locator(f"[data-number={name}] b").first.inner_text()
        text = text.replace("\N{MINUS SIGN}", "-").replace(",", "")
        return None if text == "\N{EN DASH}" else float(text)

    def choose(self, name):
        """Chooses what codes are decoded as, by mouse."""
        self.page.get_by_role("radio", name=name, exact=True).click()

    def slide(self, label, value):
        self.page.get_by_label(label, exact=True).first.evaluate(
            """(slider, value) => { slider.value = value; slider.dispatchEvent(new Event("input", { bubbles: true })); }""",
            value,
        )


def in_words(value):
    """A number as the page shows it: nothing is -0.0."""
    return f"{value:.1f}".replace("-0.0", "0.0")


@pytest.fixture
def explorer(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 860}, accept_downloads=False)
    explorer = Explorer(context.new_page())
    yield explorer
    assert explorer.complaints == []
    context.close()


PICTURE = ".view figure:not(.given) canvas"


def plane_to_screen(explorer, point, number=0):
    """Where a place of the plane lies on the screen, by the address' `view`."""
    box = explorer.page.locator(".map").nth(number).bounding_box()
    x, y, span = (float(value) for value in explorer.state()["view"].split())
    scale = min(box["width"], box["height"]) / span
    left = box["x"] + box["width"] / 2 + (point[0] - x) * scale
    top = box["y"] + box["height"] / 2 - (point[1] - y) * scale
    return float(left), float(top)


@pytest.mark.long
def test_dragging_decodes_the_place_under_the_cursor(explorer, site, worlds):
    world = worlds["two"]
    explorer.open(f"{site}#run=0").resolve()
    mouse = explorer.page.mouse
    mouse.move(*plane_to_screen(explorer, (2.5, 2.5)))
    mouse.down()
    for step in np.linspace(2.5, -1.3, 12):
        mouse.move(*plane_to_screen(explorer, (step, 0.5 * step)))
    mouse.up()
    explorer.resolve()
    np.testing.assert_allclose(explorer.at(), [-1.3, -0.65], atol=0.05)
    explorer.shows(PICTURE, lambda: world.decode(explorer.code(world)[None])[0])


def test_a_click_on_a_point_reconstructs_its_image(explorer, site, worlds):
    world = worlds["two"]
    explorer.open(f"{site}#run=0").resolve()
    lonely = np.argmax(np.linalg.norm(world.coordinates, axis=1))  # no other point is meant
    explorer.page.mouse.move(*plane_to_screen(explorer, world.coordinates[lonely]))
    explorer.page.wait_for_selector(".tip:not([hidden])")
    explorer.shows(".tip canvas", lambda: world.images[lonely], tolerance=0)
    explorer.page.mouse.down()
    explorer.page.mouse.up()
    found = world.encode(world.images[lonely].astype("float32") / 255)
    explorer.shows(PICTURE, lambda: found["image"])
    explorer.shows(".given canvas", lambda: world.images[lonely], tolerance=0)
    words = explorer.page.locator(".numbers").inner_text().replace("\N{MINUS SIGN}", "-")
    assert in_words(found["distortion"]) in words
    assert f"{found['rate']:.1f}" in words
    explorer.resolve()
    assert int(explorer.state()["image"]) == lonely


def test_keys_move_the_cursor_and_zoom(explorer, site, worlds):
    world = worlds["two"]
    explorer.open(f"{site}#run=0&at=0 0").resolve()
    span = float(explorer.state()["view"].split()[2])
    explorer.page.locator(".above").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "+"):
        explorer.page.keyboard.press(key)
    explorer.resolve()
    np.testing.assert_allclose(explorer.at(), [0.02 * span, 0.01 * span], rtol=1e-2)
    assert float(explorer.state()["view"].split()[2]) == pytest.approx(span / 1.25, rel=1e-3)
    explorer.shows(PICTURE, lambda: world.decode(explorer.code(world)[None])[0])


def test_wheel_zooms_about_the_cursor(explorer, site):
    explorer.open(f"{site}#run=0").resolve()
    before = plane_to_screen(explorer, (1, 1))
    explorer.page.mouse.move(*before)
    explorer.page.mouse.wheel(0, -300)
    explorer.resolve()
    np.testing.assert_allclose(plane_to_screen(explorer, (1, 1)), before, atol=1.0)


def test_a_slider_moves_along_its_direction_alone(explorer, site, worlds):
    world = worlds["six"]
    explorer.open(f"{site}#run=2&at=0.2 0.1 -0.3 0 0.4 0.1").resolve()
    before = explorer.at()
    third = world.coordinates[:, 2].astype(float)
    target = float(third.mean() + 1.5 * third.std())
    explorer.slide("axis 3", target)
    explorer.resolve()
    moved = explorer.at() - before
    assert explorer.at()[2] == pytest.approx(target, abs=0.02 * third.std())  # the slider's own step
    np.testing.assert_allclose(np.delete(moved, 2), 0, atol=1e-3)
    explorer.shows(PICTURE, lambda: world.decode(explorer.code(world)[None])[0])


def test_a_locked_slider_stays_and_reset_leads_to_the_mean(explorer, site, worlds):
    world = worlds["six"]
    explorer.open(f"{site}#run=2&at=0.5 0.5 0.5 0.5 0.5 0.5").resolve()
    explorer.page.get_by_label("Lock axis 2").click()
    explorer.page.get_by_role("button", name="Reset").click()
    explorer.resolve()
    np.testing.assert_allclose(explorer.at(), [0, 0.5, 0, 0, 0, 0], atol=1e-3)
    explorer.page.get_by_role("button", name="Random").click()
    explorer.resolve()
    assert explorer.at()[1] == pytest.approx(0.5, abs=1e-3)
    assert (
        np.abs(np.delete(explorer.at(), 1)).max() > 0.005
    )  # the codes of this small run deviate by some 0.03
    explorer.shows(PICTURE, lambda: world.decode(explorer.code(world)[None])[0])


def test_what_is_drawn_is_encoded(explorer, site, worlds):
    world = worlds["two"]
    explorer.open(f"{site}#run=0&tab=draw").resolve()
    box = explorer.page.locator(".sketch").bounding_box()
    mouse = explorer.page.mouse
    mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.1 * box["height"])
    mouse.down()
    mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.9 * box["height"], steps=8)
    mouse.up()
    explorer.resolve()
    drawn = explorer.pixels(".sketch")[..., :1]
    assert drawn[:, 3:5].mean() > 120  # a stroke down the middle
    assert drawn[:, [0, 7]].max() < 20
    found = world.encode(drawn.astype("float32") / 255)
    explorer.shows(PICTURE, lambda: found["image"], tolerance=3)
    np.testing.assert_allclose(explorer.at(), found["mean"], atol=0.02)
    rate = explorer.number("rate")
    assert rate == pytest.approx(found["rate"], abs=0.15)


def test_an_uploaded_image_is_encoded(explorer, site, worlds, tmp_path):
    world = worlds["two"]
    image = world.images[11]
    Image.fromarray(image[..., 0]).save(tmp_path / "digit.png")
    explorer.open(f"{site}#run=0&tab=draw")
    explorer.page.locator("input[type=file]").set_input_files(tmp_path / "digit.png")
    explorer.shows(".sketch", lambda: image, tolerance=1)
    found = world.encode(image.astype("float32") / 255)
    explorer.shows(PICTURE, lambda: found["image"])


def test_what_is_no_image_or_too_large_gets_a_sentence(explorer, site, tmp_path):
    explorer.open(f"{site}#run=0&tab=draw")
    files = explorer.page.locator("input[type=file]")
    (tmp_path / "<b>words.png").write_text("these are words")
    files.set_input_files(tmp_path / "<b>words.png")
    message = explorer.page.locator("#messages p")
    message.wait_for()
    assert "“<b>words.png” is not an image" in message.inner_text()
    with open(tmp_path / "huge.png", "wb") as file:
        file.truncate(25 << 20)
    files.set_input_files(tmp_path / "huge.png")
    explorer.page.wait_for_function(
        "document.querySelector('#messages').innerText.includes('too large: 25 MB')"
    )
    Image.new("L", (12_500, 20)).save(tmp_path / "wide.png")
    files.set_input_files(tmp_path / "wide.png")
    explorer.page.wait_for_function(
        "document.querySelector('#messages').innerText.includes('12500 \N{MULTIPLICATION SIGN} 20')"
    )


@pytest.mark.parametrize(
    ("name", "path"),
    [("linear", paths.linear), ("slerp", paths.slerp), ("variance preserving", paths.variance_preserving)],
)
def test_the_strip_between_two_images_is_the_path(explorer, site, worlds, name, path):
    world = worlds["six"]
    start, end = np.array([[1.0, 0.5, -1, 0, 0.3, 0]]), np.array([[-0.8, 1.0, 0.4, 0.2, 0, 0.6]])
    query = urllib.parse.urlencode(
        {
            "run": 2,
            "tab": "paths",
            "path": name,
            "A": " ".join(map(str, start[0])),
            "B": " ".join(map(str, end[0])),
            "at": "0",
        }
    )
    explorer.open(f"{site}#{query}")
    center, directions = world.axes
    start, end = (center + point @ directions for point in (start, end))
    for step in (0, 3, 5, 10):
        code = path(start, end, [step / 10])[:, 0].astype("float32")
        explorer.shows(".along .strip canvas", lambda code=code: world.decode(code)[0], number=step)
    explorer.slide("Position between A and B", 0.25)
    explorer.shows(PICTURE, lambda: world.decode(path(start, end, [0.25])[:, 0].astype("float32"))[0])


def test_an_end_is_what_is_picked(explorer, site, worlds):
    world = worlds["six"]
    explorer.open(f"{site}#run=2&tab=paths&image=9").resolve()
    explorer.page.get_by_role("button", name="Set A").click()
    explorer.shows(".slot canvas", lambda: world.decode(world.codes.mean[9:10])[0])


def test_samples_stand_side_by_side_by_the_same_seeds(explorer, site, worlds):
    world = worlds["six"]
    explorer.open(f"{site}#run=2&tab=samples&seed=5&temperature=0.5")
    mean = world.training_codes.mean.reshape(-1, 6).mean(axis=0)
    for number in (0, 15):
        prior = 0.5 * world.sample("prior", [5 + number])
        fitted = mean + 0.5 * (world.sample("mixture", [5 + number]) - mean)
        explorer.shows(".board >> nth=0 >> canvas", lambda code=prior: world.decode(code)[0], number)
        explorer.shows(".board >> nth=1 >> canvas", lambda code=fitted: world.decode(code)[0], number)
    explorer.page.get_by_role("button", name="Next seeds").click()
    explorer.shows(".board >> nth=0 >> canvas", lambda: world.decode(0.5 * world.sample("prior", [21]))[0])


def test_a_layer_tells_its_shape_and_shows_its_maps(explorer, site, worlds):
    world = worlds["six"]
    explorer.open(f"{site}#run=2&tab=layers&image=4")
    layers = world.facts["layers"]["encoder"]
    bars = explorer.page.locator(".bar")
    assert bars.count() == len(layers) + len(world.facts["layers"]["decoder"])
    index = next(i for i, layer in enumerate(layers) if layer["name"] == "down_0_0")
    height, width, channels = layers[index]["shape"]
    bars.nth(index).hover()
    assert (
        " \N{MULTIPLICATION SIGN} ".join(map(str, (height, width, channels)))
        in explorer.page.locator(".about").inner_text()
    )
    bars.nth(index).click()
    explorer.page.wait_for_selector(".maps canvas")
    assert explorer.page.locator(".maps canvas").count() == channels
    maps = np.asarray(world.model.encoder.get_layer("down_0_0")(world.images[4:5] / 255.0))[0]
    seen = explorer.pixels(".maps canvas", 2).sum(axis=-1)  # lightness rises with the value
    assert np.unravel_index(seen.argmax(), seen.shape) == np.unravel_index(
        maps[..., 2].argmax(), (height, width)
    )


def test_two_runs_share_the_cursor(explorer, site, worlds):
    first, second = worlds["two"], worlds["plain"]
    explorer.open(f"{site}#run=0&beside=1&at=0.7 -0.4").resolve()
    deviations = (explorer.code(first) - first.coordinates.mean(axis=0)) / first.coordinates.std(axis=0)
    there = second.coordinates.mean(axis=0) + deviations * second.coordinates.std(axis=0)
    explorer.shows(PICTURE, lambda: first.decode(explorer.code(first)[None])[0])
    explorer.shows(PICTURE, lambda: second.decode(there[None].astype("float32"))[0], number=1)
    assert explorer.page.locator(".map-title").nth(1).inner_text().startswith("plain")


def test_pictures_fill_the_plane_with_what_it_decodes_to(explorer, site, worlds):
    world = worlds["two"]
    explorer.open(f"{site}#run=0&at=0 0&show=tiles").resolve()
    point = (-2.2, 2.9)

    def seen():
        left, top = plane_to_screen(explorer, point)
        box = explorer.page.locator(".map").bounding_box()
        return explorer.page.evaluate(
            """([x, y]) => { const canvas = document.querySelector(".below"), ratio = canvas.width / canvas.clientWidth;
            return Array.from(canvas.getContext("2d").getImageData((x - 40) * ratio, (y - 40) * ratio, 80, 80).data).filter((_, i) => i % 4 === 0); }""",
            [left - box["x"], top - box["y"]],
        )

    before = np.mean(seen())  # the empty ground is paper
    deadline = time.monotonic() + PATIENCE
    expected = world.decode(np.array([point], "float32")).mean()
    while abs(np.mean(seen()) - expected) > 40 or (before > 200 and np.mean(seen()) > 200):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_link_leads_back_to_the_same_state(explorer, site):
    link = f"{site}#run=2&tab=samples&image=7&locks=1&show=dead+prior&only=3&layout=tsne&seed=32&temperature=0.75&source=mixture"
    explorer.open(link).resolve()
    state = explorer.state()
    for key, value in urllib.parse.parse_qsl(urllib.parse.urlsplit(link).fragment):
        assert state[key] == value, key
    assert explorer.page.locator(".legend [aria-pressed=true]").all_inner_texts() == ["3"]
    explorer.page.reload()
    explorer.page.wait_for_selector("#app[aria-busy=false]")
    explorer.resolve()
    assert explorer.state() == state


def test_a_link_keeps_its_image_while_a_slow_server_encodes_it(explorer, site):
    page, asked = explorer.page, []
    page.route("**/encode*", lambda route: asked.append(route))
    page.goto(f"{site}#run=2&image=7&locks=1")
    page.wait_for_selector("#app .tabs")
    for _ in range(2):
        explorer.resolve()
        assert (explorer.state()["image"], explorer.state()["locks"]) == ("7", "1")
        if asked:
            asked.pop().continue_()
            page.wait_for_selector("#app[aria-busy=false]")
    assert not asked


@pytest.mark.long
def test_another_class_by_mouse_or_keyboard_decodes_the_same_code_as_it(explorer, site, worlds):
    world, code = worlds["conditional"], np.array([[0.6, -0.5]], "float32")
    explorer.open(f"{site}#run=3&at=0.6 -0.5&show=tiles").resolve()
    explorer.shows(PICTURE, lambda: world.decode(code, 0)[0])
    explorer.choose("7")
    explorer.shows(PICTURE, lambda: world.decode(code, 7)[0])
    explorer.page.keyboard.press("ArrowRight")
    explorer.shows(PICTURE, lambda: world.decode(code, 8)[0])
    assert explorer.page.locator(".view figcaption").nth(1).inner_text() == "decoded as 8"
    explorer.resolve()
    assert explorer.state()["class"] == "8"
    explorer.page.reload()
    explorer.shows(PICTURE, lambda: world.decode(code, 8)[0])
    assert explorer.page.get_by_role("radio", name="8", exact=True).is_checked()
    explorer.slide("z₁", -1.0)
    explorer.resolve()
    explorer.shows(PICTURE, lambda: world.decode(explorer.code(world)[None], 8)[0])


def test_a_picked_image_keeps_its_own_code_under_another_class(explorer, site, worlds):
    world = worlds["conditional"]
    explorer.open(f"{site}#run=3&image=4")
    own = int(world.labels[4])
    found = world.encode(world.images[4] / 255.0, own)
    explorer.shows(PICTURE, lambda: found["image"])
    caption = explorer.page.locator(".view figcaption").nth(1)
    assert caption.inner_text() == f"reconstruction as {own}"
    other = (own + 3) % 10
    explorer.choose(str(other))
    explorer.shows(PICTURE, lambda: world.decode(world.codes.mean[4:5], other)[0])
    assert caption.inner_text() == f"its code decoded as {other}"
    words = explorer.page.locator(".numbers").inner_text().replace("\N{MINUS SIGN}", "-")
    assert in_words(found["distortion"]) in words


def test_an_uploaded_image_is_encoded_as_the_class(explorer, site, worlds, tmp_path):
    world, image = worlds["conditional"], worlds["conditional"].images[11]
    Image.fromarray(image[..., 0]).save(tmp_path / "digit.png")
    explorer.open(f"{site}#run=3&tab=draw&class=3")
    explorer.page.locator("input[type=file]").set_input_files(tmp_path / "digit.png")
    for label in (3, 6):
        explorer.choose(str(label))
        found = world.encode(image.astype("float32") / 255, label)
        explorer.shows(PICTURE, lambda found=found: found["image"])
        explorer.resolve()
        np.testing.assert_allclose(explorer.at(), found["mean"], atol=0.01)
        rate = explorer.number("rate")
        assert rate == pytest.approx(found["rate"], abs=0.06)


def test_samples_and_paths_are_decoded_as_the_class(explorer, site, worlds):
    world = worlds["conditional"]
    explorer.open(f"{site}#run=3&tab=samples&class=6")
    for side, source in enumerate(("prior", "mixture")):
        explorer.shows(
            f".board >> nth={side} >> canvas",
            lambda source=source: world.decode(world.sample(source, [0]), 6)[0],
        )
    explorer.tab("Paths")
    explorer.choose("1")
    start, end = (
        world.codes.mean[index] for index in (0, np.flatnonzero(world.labels != world.labels[0])[0])
    )
    for step in (0, 4, 10):
        code = paths.linear(start[None], end[None], [step / 10])[:, 0].astype("float32")
        explorer.shows(".along .strip canvas", lambda code=code: world.decode(code, 1)[0], number=step)


def test_a_conditional_run_beside_another_shares_the_cursor(explorer, site, worlds):
    first, second = worlds["two"], worlds["conditional"]
    explorer.open(f"{site}#run=0&beside=3&at=0.7 -0.4&class=2").resolve()
    deviations = (explorer.code(first) - first.coordinates.mean(axis=0)) / first.coordinates.std(axis=0)
    there = (second.coordinates.mean(axis=0) + deviations * second.coordinates.std(axis=0)).astype("float32")
    explorer.shows(PICTURE, lambda: first.decode(explorer.code(first)[None])[0])
    explorer.shows(PICTURE, lambda: second.decode(there[None], 2)[0], number=1)
    explorer.choose("5")
    explorer.shows(PICTURE, lambda: second.decode(there[None], 5)[0], number=1)


def test_without_labels_to_choose_from_there_is_no_choice(explorer, site):
    explorer.open(f"{site}#run=0&class=3").resolve()
    assert explorer.page.get_by_role("radio").count() == 0
    assert "class" not in explorer.state()


@pytest.mark.parametrize(
    "fragment",
    ["run=99&at=a b&image=-4&seed=x&view=0", "tab=nothing&only=1e9&layer=a/b&A=", "beside=0&show=%3Cb%3E"],
)
def test_a_broken_link_still_opens(explorer, site, fragment):
    explorer.open(f"{site}#{fragment}").resolve()
    assert explorer.page.locator(".map").count() == 1
    assert "only" not in explorer.state()


def test_a_link_leads_back_to_a_code_that_lies_off_the_axes(explorer, worlds, tmp_path, monkeypatch):
    monkeypatch.setattr("keras_vae.explorer.world.MOST_AXES", 2)
    world = World(worlds["six"].run)
    vars(world)["kept"] = lambda name, compute, **options: compute()  # nothing with this many axes is kept
    (tmp_path / "page.html").write_text(static_page([world]), encoding="utf-8")
    places = {"at": [0.5, 1, -1, 0.2, 0.3, -0.7], "A": [1, 1, 0, 0, 0.5, 0], "B": [0, 0, -1, 1, 0, 0.5]}
    link = {name: " ".join(map(str, numbers)) for name, numbers in places.items()} | {"tab": "paths"}
    explorer.open(f"{(tmp_path / 'page.html').as_uri()}#{urllib.parse.urlencode(link)}").resolve()
    decoded = dict(zip(places, world.decode(np.array(list(places.values()), "float32"))))
    explorer.shows(PICTURE, lambda: decoded["at"])
    explorer.shows(".strip.wide canvas", lambda: decoded["A"], number=0)
    explorer.shows(".strip.wide canvas", lambda: decoded["B"], number=10)
    assert {name: explorer.state()[name] for name in link} == link


@pytest.mark.parametrize("reset", [False, True])
def test_the_page_begins_where_the_codes_are_and_reset_leads_there(explorer, site, worlds, reset):
    explorer.open(f"{site}#run=1{'&at=7 7' if reset else ''}").resolve()
    if reset:
        explorer.page.get_by_role("button", name="Reset").click()
        explorer.resolve()
    np.testing.assert_allclose(explorer.at(), worlds["plain"].coordinates.mean(axis=0), rtol=1e-3, atol=1e-4)


def test_an_image_that_one_run_alone_takes_moves_the_other_to_the_same_place(explorer, site):
    explorer.open(site)
    found = explorer.page.evaluate(
        """async () => {
        const { Session } = await import("explorer/session");
        const world = (size, mean, encodes) => ({ size, dims: 2, axes: 2, count: 1, mean: new Float32Array(2), center: [0, 0],
            directions: [1, 0, 0, 1], means: [0, 0], scales: [1, size], coordinates: new Float32Array(mean), pictures: new Uint8Array(size),
            told: () => null, labelOf: () => "", engine: { decode: async () => null, encode: encodes ? async () => ({ mean: new Float32Array(mean) }) : null } });
        async function picked(number, encodes) {
            const session = new Session([world(4, [1, 2], true), world(9, [3, 18], encodes)]);
            await session.pick(0, number);
            return session.current.flatMap(({ code, encoded }) => [...code, Boolean(encoded)]);
        }
        return [await picked(0, true), await picked(1, true), await picked(1, false)]; }"""
    )
    assert found == [
        [1, 2, True, 1, 2 * 9 / 4, False],
        [3, 18 * 4 / 9, False, 3, 18, True],
        [3, 18 * 4 / 9, False, 3, 18, False],  # by the map, where there is no encoder
    ]


def test_what_keeps_the_page_from_opening_stays_to_be_read(browser, site):
    context = browser.new_context()
    page = context.new_page()
    page.clock.install()
    page.route("**/world", lambda route: route.fulfill(status=400, json={"error": "the data are gone"}))
    page.goto(f"{site}#run=0")
    page.wait_for_selector("#app[aria-busy=false]")
    page.clock.fast_forward(60_000)
    assert page.locator("#app").inner_text() == "the data are gone"
    context.close()


def test_names_are_texts_and_no_markup(explorer, site, worlds, monkeypatch):
    name = "<img src=x onerror=document.title='broken'>"
    monkeypatch.setitem(worlds["plain"].facts, "name", name)
    monkeypatch.setitem(worlds["plain"].facts, "label_names", [name] * 10)
    (worlds["plain"].run.path / "page.html").write_text(static_page([worlds["plain"]]), encoding="utf-8")
    explorer.open((worlds["plain"].run.path / "page.html").as_uri())
    assert explorer.page.locator("h1").inner_text() == name
    assert "broken" not in explorer.page.title()
    assert explorer.page.locator("img[src=x]").count() == 0


def test_on_a_phone_all_fits_the_width(browser, site):
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    explorer = Explorer(context.new_page()).open(f"{site}#run=2&at=0.5")
    for tab in ("Sliders", "Draw", "Paths", "Samples", "Network"):
        explorer.tab(tab)
        explorer.resolve()
        assert explorer.page.evaluate("document.documentElement.scrollWidth") <= 360, tab
    explorer.page.touchscreen.tap(*plane_to_screen(explorer, (2.0, 2.0)))
    explorer.resolve()
    assert explorer.complaints == []
    context.close()


def test_decoding_keeps_up_with_a_hand(explorer, site):
    """Thirty pictures a second were measured on idle cores; here it only has to be no slide show."""
    explorer.open(f"{site}#run=0").resolve()
    rate = explorer.page.evaluate(
        """async () => { const { engineOf } = await import("explorer/engines");
        const engine = engineOf({ number: 0 }), code = new Float32Array([0.1, 0.2]);
        await engine.decode(code, 1, null);
        const begun = performance.now();
        for (let i = 0; i < 20; i++) await engine.decode(code, 1, null);
        return 20000 / (performance.now() - begun); }"""
    )
    assert rate > 5


# Without a server.


@pytest.fixture(scope="module")
def files(worlds, tmp_path_factory):
    folder = tmp_path_factory.mktemp("static")
    for names in (["six"], ["two", "plain"], ["conditional"]):
        text = static_page([worlds[name] for name in names])
        (folder / f"{names[0]}.html").write_text(text, encoding="utf-8")
    return folder


def test_the_one_file_decodes_in_the_browser_as_the_model_does(explorer, files, worlds):
    world = worlds["six"]
    explorer.open(f"{(files / 'six.html').as_uri()}#at=0.9 -0.6 0.3 0.2 -0.5 0.4").resolve()
    explorer.shows(PICTURE, lambda: world.decode(explorer.code(world)[None])[0], tolerance=1)
    explorer.page.goto(f"{(files / 'six.html').as_uri()}#image=8&tab=samples&seed=3")
    explorer.page.wait_for_timeout(500)
    found = world.encode(world.images[8].astype("float32") / 255)
    explorer.shows(PICTURE, lambda: found["image"], tolerance=1)
    words = explorer.page.locator(".numbers").inner_text().replace("\N{MINUS SIGN}", "-")
    assert in_words(found["distortion"]) in words
    assert f"{found['rate']:.1f}" in words
    explorer.shows(
        ".board >> nth=1 >> canvas", lambda: world.decode(world.sample("mixture", [3]))[0], tolerance=1
    )


def test_the_one_file_of_a_conditional_run_decodes_as_the_class(explorer, files, worlds):
    world, code = worlds["conditional"], np.array([[0.3, 0.8]], "float32")
    address = (files / "conditional.html").as_uri()
    explorer.open(f"{address}#at=0.3 0.8&class=4")
    explorer.shows(PICTURE, lambda: world.decode(code, 4)[0], tolerance=1)
    explorer.choose("2")
    explorer.shows(PICTURE, lambda: world.decode(code, 2)[0], tolerance=1)
    explorer.page.keyboard.press("ArrowLeft")
    explorer.shows(PICTURE, lambda: world.decode(code, 1)[0], tolerance=1)
    own = int(world.labels[8])
    found = world.encode(world.images[8] / 255.0, own)
    explorer.page.goto(f"{address}#image=8&class={own}")  # before the address says what the keys did
    explorer.shows(PICTURE, lambda: found["image"], tolerance=1)
    words = explorer.page.locator(".numbers").inner_text().replace("\N{MINUS SIGN}", "-")
    assert in_words(found["distortion"]) in words
    image = (world.images[8] / 255).astype("float32")
    for part, name, value in (("encoder", "down_0_0", image), ("decoder", "reshape", code[0])):
        maps = explorer.page.evaluate(
            """async ([part, name, value]) => { const { prepared } = await import("explorer/session");
            const { unpacked } = await import("explorer/packing");
            const [facts] = unpacked(JSON.parse(document.getElementById("worlds").textContent));
            const { shape, data } = await prepared(facts).engine.layer(part, name, new Float32Array(value), 6);
            return [shape, Array.from(data)]; }""",
            [part, name, value.ravel().tolist()],
        )
        expected = FeatureMaps(world.model)(part, name, value, 6)
        np.testing.assert_allclose(np.reshape(maps[1], maps[0]), expected, atol=2e-5)


def test_the_one_file_of_two_runs_shows_both(explorer, files, worlds):
    explorer.open((files / "two.html").as_uri()).resolve()
    assert explorer.page.locator(".map").count() == 2
    explorer.shows(PICTURE, lambda: worlds["two"].decode(explorer.code(worlds["two"])[None])[0], tolerance=1)


def test_a_model_that_the_browser_cannot_compute_is_a_grid_of_pictures(
    explorer, worlds, tmp_path, monkeypatch
):
    from keras_vae.explorer import page
    from keras_vae.explorer.dead_zones import grid_codes

    def refuse(world):
        raise page.CannotCompute("it is too large")

    monkeypatch.setattr(page, "computable", refuse)
    world = worlds["two"]
    (tmp_path / "grid.html").write_text(static_page([world]), encoding="utf-8")
    explorer.open(f"{(tmp_path / 'grid.html').as_uri()}#at=0.4 0.3&tab=draw").resolve()
    cells = grid_codes(world, 48)
    closest = np.linalg.norm(cells - [0.4, 0.3], axis=1).argmin()
    explorer.shows(PICTURE, lambda: world.decode(cells[closest : closest + 1])[0], tolerance=0)
    assert "it is too large" in explorer.page.locator("#panel-draw").inner_text()
    explorer.tab("Samples")
    explorer.shows(".board canvas", lambda: world.decode(world.sample("prior", [0]))[0], tolerance=0)


def test_a_conditional_model_that_the_browser_cannot_compute_has_a_grid_of_pictures_a_class(
    explorer, worlds, tmp_path, monkeypatch
):
    from keras_vae.explorer import page
    from keras_vae.explorer.dead_zones import grid_codes

    def refuse(world):
        raise page.CannotCompute("it is too large")

    monkeypatch.setattr(page, "computable", refuse)
    monkeypatch.setattr(page, "GRID_SIDES", (8, 12))
    world = worlds["conditional"]
    (tmp_path / "grid.html").write_text(static_page([world]), encoding="utf-8")
    explorer.open(f"{(tmp_path / 'grid.html').as_uri()}#at=0.4 0.3&tab=samples&class=5").resolve()
    cells = grid_codes(world, 12)
    closest = np.linalg.norm(cells - [0.4, 0.3], axis=1).argmin()
    explorer.shows(PICTURE, lambda: world.decode(cells[closest : closest + 1], 5)[0], tolerance=0)
    explorer.choose("9")
    explorer.shows(PICTURE, lambda: world.decode(cells[closest : closest + 1], 9)[0], tolerance=0)
    explorer.shows(".board canvas", lambda: world.decode(world.sample("prior", [0]), 9)[0], tolerance=0)


NETWORKS_TRIED = {
    "plain": {"network": NETWORKS["convolutional"](widths=(4, 6), dense=5)},
    "odd": {
        "image_shape": (11, 7, 3),
        "network": NETWORKS["convolutional"](widths=(4,), kernel_size=4, activation="gelu", dense=0),
    },
    "batch": {
        "network": NETWORKS["convolutional"](
            widths=(4,), normalization="batch", depth=2, activation="leaky_relu"
        )
    },
    "layer": {"network": NETWORKS["convolutional"](widths=(4,), normalization="layer", activation="mish")},
    "group": {
        "latent": "2x2x3",
        "network": NETWORKS["convolutional"](widths=(8, 16), normalization="group", activation="elu"),
    },
    "mlp": {"network": NETWORKS["mlp"](hidden=(9, 7)), "likelihood": "gaussian_per_pixel"},
    "residual": {"network": NETWORKS["residual"](widths=(4, 8), dense=6, activation="selu")},
    "residual, means": {
        "network": NETWORKS["residual"](widths=(8,), down="average", up="transposed", activation="softplus")
    },
    "learned": {
        "likelihood": "gaussian_learned",
        "network": NETWORKS["convolutional"](widths=(4,), activation="tanh"),
    },
}


@pytest.mark.long
@pytest.mark.parametrize("kind", NETWORKS_TRIED)
def test_networks_in_the_browser_compute_what_keras_does(kind, explorer, site):
    given = {"image_shape": (8, 8, 1), "latent": 3, "likelihood": "bernoulli", **NETWORKS_TRIED[kind]}
    if given["likelihood"] not in LIKELIHOODS:
        pytest.fail(f"{given['likelihood']} is no likelihood")
    model = Autoencoder(given.pop("image_shape"), **given)
    generator = np.random.default_rng(0)
    for weight in model.weights:  # statistics and scales too, so that none is 0 or 1
        if "seed" not in weight.path:
            weight.assign(0.5 * np.abs(generator.standard_normal(weight.shape)) if "moving_variance" in weight.path
                          else weight + 0.2 * generator.standard_normal(weight.shape))  # fmt: skip
    explorer.open(site)
    for network, shape in ((model.encoder, model.image_shape), (model.decoder, model.latent_shape)):
        value = generator.random(shape, "float32")
        expected = network(value[None], training=False)
        expected = expected if isinstance(expected, dict) else {"output": expected}
        found = explorer.page.evaluate(
            """async ([text, value]) => { const { unpacked } = await import("explorer/packing");
            const { Network } = await import("explorer/network");
            const found = new Network(unpacked(JSON.parse(text))).run(new Float32Array(value));
            return Object.fromEntries(Object.entries(found).map(([key, data]) => [key, Array.from(data)])); }""",
            [to_text(graph(network)), value.ravel().tolist()],
        )
        for key, tensor in expected.items():
            wanted = np.asarray(tensor)[0].ravel()
            scale = max(1, float(np.abs(wanted).max()))
            np.testing.assert_allclose(np.array(found[key]) / scale, wanted / scale, atol=2e-5, err_msg=key)


def test_paths_in_the_browser_are_those_of_the_metrics(explorer, site):
    explorer.open(site)
    generator = np.random.default_rng(1)
    start, end = generator.standard_normal((2, 1, 5)).astype("float32")
    found = explorer.page.evaluate(
        """async ([start, end, ts]) => { const { PATHS } = await import("explorer/maths");
        return Object.fromEntries(Object.entries(PATHS).map(([name, path]) => [name, ts.map((t) => path(start, end, t))])); }""",
        [start[0].tolist(), end[0].tolist(), [0, 0.3, 0.8, 1]],
    )
    functions = {
        "linear": paths.linear,
        "slerp": paths.slerp,
        "variance preserving": paths.variance_preserving,
    }
    assert set(found) == set(functions)
    for name, points in found.items():
        np.testing.assert_allclose(points, functions[name](start, end, [0, 0.3, 0.8, 1])[0], atol=1e-5)


def test_an_ellipse_is_that_of_the_projected_covariance(explorer, site):
    explorer.open(site)
    generator = np.random.default_rng(2)
    directions = np.linalg.qr(generator.standard_normal((5, 2)))[0].T
    log_var = generator.standard_normal(5)
    found = explorer.page.evaluate(
        """async ([directions, logVar]) => (await import("explorer/maths")).ellipse({ dims: 5, axes: 2, directions }, logVar)""",
        [directions.ravel().tolist(), log_var.tolist()],
    )
    values, vectors = np.linalg.eigh(directions @ np.diag(np.exp(log_var)) @ directions.T)
    assert found["long"] == pytest.approx(math.sqrt(values[1]))
    assert found["short"] == pytest.approx(math.sqrt(values[0]))
    along = np.array([math.cos(found["angle"]), math.sin(found["angle"])])
    assert abs(along @ vectors[:, 1]) == pytest.approx(1)


def test_a_server_that_is_gone_is_said_to_be(browser, site):
    context = browser.new_context()
    explorer = Explorer(context.new_page()).open(f"{site}#run=0")
    context.set_offline(True)
    explorer.slide("z₁", 0.4)
    explorer.page.wait_for_selector("#messages p")
    assert "does not answer" in explorer.page.locator("#messages").inner_text()
    context.close()


def test_the_facts_of_a_world_are_json_without_holes(worlds):
    assert json.loads(to_text(worlds["six"].facts))["coordinates"]["shape"][1] == 6


# How the page opens, and what it says.


def reported(world, monkeypatch, **verdict):
    """Makes the page of a world show a verdict."""
    shown = {"title": "It cannot generate", "tone": "bad", "cause": "a hole", "remedy": None, "confidence": "high",
             "blind": False, "name": "prior_hole", **verdict}  # fmt: skip
    monkeypatch.setitem(world.facts, "verdict", shown)
    monkeypatch.setitem(world.facts, "dead_share", 0.62)


def test_a_prior_hole_is_what_the_page_opens_on(explorer, worlds, tmp_path, monkeypatch):
    world = worlds["two"]
    reported(world, monkeypatch)
    (tmp_path / "page.html").write_text(static_page([world]), encoding="utf-8")
    explorer.open((tmp_path / "page.html").as_uri()).resolve()
    state = explorer.state()
    assert (state["tab"], state["source"]) == ("samples", "mixture")
    assert {"prior", "mixture"} <= set(state["show"].split())
    explorer.shows(".board >> nth=1 >> canvas", lambda: world.decode(world.sample("mixture", [0]))[0])
    reported(world, monkeypatch, name="good")
    (tmp_path / "page.html").write_text(static_page([world]), encoding="utf-8")
    explorer.page.goto("about:blank")
    explorer.open((tmp_path / "page.html").as_uri()).resolve()
    assert (explorer.state()["tab"], "prior" in explorer.state()["show"]) == ("sliders", False)


def test_the_map_can_be_dragged_while_slow_layers_are_named(explorer, site, worlds):
    page, held, slow = explorer.page, [], [True]
    page.route("**/map/**", lambda route: held.append(route) if slow else route.continue_())
    explorer.open(f"{site}#run=0&at=0 0")
    line = page.locator(".missing")
    assert line.inner_text() == "samplers: being computed; dead zones: to be computed"
    explorer.slide("z\N{SUBSCRIPT ONE}", 1.0)
    explorer.resolve()
    explorer.shows(PICTURE, lambda: worlds["two"].decode(explorer.code(worlds["two"])[None])[0])
    slow.clear()
    held.pop().continue_()
    page.wait_for_function("document.querySelector('.missing').hidden")


def test_live_numbers_are_those_of_the_code_and_its_image(explorer, site, worlds):
    world = worlds["six"]
    explorer.open(f"{site}#run=2&at=0.9 -0.6 0.3 0.2 -0.5 0.4").resolve()
    explorer.page.wait_for_function("document.querySelector('.missing').hidden", timeout=120_000)
    code = explorer.code(world)[None]
    explorer.shows(PICTURE, lambda: world.decode(code)[0])
    differences = (world.decode(code).astype(float) - world.images.astype(float)) / 255
    nearest = np.sqrt(np.square(differences).mean(axis=(1, 2, 3))).min()
    assert explorer.number("nearest") == pytest.approx(nearest, abs=0.003)
    log_prior = -0.5 * (np.square(code).sum() + 6 * math.log(2 * math.pi))
    assert explorer.number("prior") == pytest.approx(log_prior, abs=0.06)
    fitted = float(world.samplers["mixture"].log_prob(code.astype("float32"))[0])
    explorer.page.wait_for_function(
        "!document.querySelector('[data-number=fitted] b').textContent.includes('\u2013')"
    )
    assert explorer.number("fitted") == pytest.approx(fitted, rel=1e-3, abs=0.06)
    assert explorer.number("rate") is None
    height = explorer.page.locator(".current").bounding_box()["height"]
    explorer.page.goto(f"{site}#run=2&image=8")
    explorer.shows(".given canvas", lambda: world.images[8], tolerance=0)
    found = world.encode(world.images[8].astype("float32") / 255)
    assert explorer.number("elbo") == pytest.approx(-found["distortion"] - found["rate"], abs=0.15)
    assert (
        explorer.page.locator(".current").bounding_box()["height"] == height
    )  # nothing moves under the hand


def test_one_pass_draws_a_code_and_decodes_it(explorer, site, worlds):
    world = worlds["six"]
    explorer.open(f"{site}#run=2&tab=stage&image=8")

    def bars(kind):
        texts = explorer.page.locator(f".stage .{kind} title").evaluate_all(
            "found => found.map((one) => one.textContent)"
        )
        return np.array([float(text.split("=")[1].replace("\N{MINUS SIGN}", "-")) for text in texts])

    def decoded():
        if not np.allclose(bars("mean"), world.codes.mean[8], atol=1e-3):
            raise KeyError("another image, as at first on a busy machine")
        code = bars("code")[None].astype("float32")
        return world.decode(code)[0]

    explorer.page.wait_for_selector(".stage .code svg")
    explorer.shows(".stage canvas", decoded, number=1, tolerance=4)
    np.testing.assert_allclose(bars("deviation"), np.exp(0.5 * world.codes.log_var[8]), atol=1e-3)
    np.testing.assert_allclose(bars("code"), bars("mean") + bars("deviation") * bars("noise"), atol=4e-3)
    before = bars("noise")
    explorer.page.get_by_role("button", name="Draw again").click()
    explorer.page.wait_for_function(
        "(before) => document.querySelector('.stage .noise title').textContent !== before",
        arg=explorer.page.locator(".stage .noise title").first.evaluate("one => one.textContent"),
    )
    assert np.abs(bars("noise") - before).max() > 0
    explorer.shows(".stage canvas", decoded, number=1, tolerance=4)


def test_the_tools_work_on_the_run_that_they_name(explorer, site, worlds):
    first, second = worlds["two"], worlds["plain"]
    explorer.open(f"{site}#run=0&beside=1&at=0.7 -0.4").resolve()
    tools = explorer.page.get_by_role("group", name="Run that the tools work on")
    assert tools.locator("[aria-pressed=true]").inner_text() == "two"
    tools.get_by_role("button", name="plain").click()
    explorer.page.wait_for_selector("#app[aria-busy=false] .focus button:nth-of-type(2)[aria-pressed=true]")
    scale = float(second.coordinates[:, 0].std())
    explorer.slide("z\N{SUBSCRIPT ONE}", float(second.coordinates[:, 0].mean()) + scale)
    explorer.resolve()
    assert explorer.state()["focus"] == "1"
    there = explorer.at()
    assert there[0] == pytest.approx(second.coordinates[:, 0].mean() + scale, rel=0.02)
    explorer.shows(PICTURE, lambda: second.decode(there[None])[0], number=1)
    deviations = (there - second.coordinates.mean(axis=0)) / second.coordinates.std(axis=0)
    here = first.coordinates.mean(axis=0) + deviations * first.coordinates.std(axis=0)
    explorer.shows(PICTURE, lambda: first.decode(here[None].astype("float32"))[0])


def test_theme_and_tour_are_remembered_and_tabs_take_home_and_end(browser, site):
    context = browser.new_context(color_scheme="light")
    page = context.new_page()
    page.goto(f"{site}#run=0")
    page.wait_for_selector(".tour:not([hidden])")
    for text in ("Next", "Next", "Next", "Done"):
        page.locator(".tour").get_by_role("button", name=text).click()
    assert page.locator(".tour").is_hidden()
    page.get_by_role("button", name="Dark theme").click()
    page.get_by_role("tab", name="Sliders").focus()
    page.keyboard.press("End")
    assert page.get_by_role("tab", name="Training").get_attribute("aria-selected") == "true"
    page.keyboard.press("Home")
    assert page.get_by_role("tab", name="Sliders").get_attribute("aria-selected") == "true"
    page.reload()
    page.wait_for_selector("#app[aria-busy=false]")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    assert page.locator(".tour").is_hidden()
    context.close()


def test_layers_that_t_sne_cannot_show_are_disabled(explorer, site):
    explorer.open(f"{site}#run=2")
    explorer.page.get_by_label("Layout of the map").select_option("tsne")
    toolbar = explorer.page.get_by_role("toolbar")
    for name in ("dead zones", "pictures", "\N{MULTIPLICATION SIGN} prior"):
        assert toolbar.get_by_role("button", name=name).is_disabled()
    explorer.page.get_by_label("Layout of the map").select_option("axes")
    pictures, zones = (toolbar.get_by_role("button", name=name) for name in ("pictures", "dead zones"))
    pictures.click()
    assert zones.get_attribute("aria-pressed") == "false"  # pictures would cover them


def test_without_scripts_the_page_says_one_thing(browser, site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site)
    assert page.locator("body").inner_text().strip() == "The explorer needs JavaScript."
    context.close()


@pytest.mark.long
@pytest.mark.parametrize("name", ["two", "conditional"])
def test_the_replay_shows_codes_samples_and_losses_of_an_epoch(name, explorer, site, worlds):
    world = worlds[name]
    kept, found = read_replay(world.run), replay_of(world)
    history, extent = found["curves"], found["bounds"]
    explorer.open(f"{site}#run={list(worlds).index(name)}&tab=replay")
    explorer.page.wait_for_selector(".replayed")
    for frame, epoch in ((1, 1), (0, 0), (len(kept["epochs"]) - 1, 12)):
        explorer.slide("Epoch", frame)
        samples = kept["samples"][frame]
        for place in (0, 5):
            sample = samples[place]
            explorer.shows(".replayed .board canvas", lambda shown=sample: shown, place, tolerance=0)
        dots = assert_dots(explorer, kept["codes"][frame].astype(float), kept["labels"], extent)
        said = explorer.page.locator(".replay output").inner_text()
        assert said == (f"epoch {epoch}" if epoch else "before training")
        words = explorer.page.locator("[data-loss=distortion]").inner_text().replace("\N{MINUS SIGN}", "-")
        wanted = [f"{history[key][epoch - 1]:.2f}" for key in ("distortion", "val_distortion")]
        assert [part for part in words.split() if part[-1].isdigit()] == (wanted if epoch else [])
    assert dots >= 3
    explorer.resolve()
    assert explorer.state()["epoch"] == "12"


HUES = ("4e79c7", "e8743b", "19a979", "945ecf", "d4406e", "13a4b4", "b8962e", "8a8d91", "6a9a2d", "c06bb8")


def assert_dots(explorer, codes, labels, extent):
    """Asserts that the canvas has a dot in the colour of its label at each code that no later dot covers."""
    left, right, bottom, top = extent
    size = explorer.page.locator(".plane").evaluate("canvas => canvas.width")
    places = np.stack([(codes[:, 0] - left) / (right - left), (top - codes[:, 1]) / (top - bottom)], axis=1)
    at = np.floor(places * size).astype(int)
    covered = [(np.hypot(*(at[row + 1 :] - at[row]).T) < 9).any() for row in range(len(at))]
    rows = np.flatnonzero(((at >= 0) & (at < size)).all(axis=1) & ~np.array(covered))
    seen = explorer.page.locator(".plane").evaluate(
        """(canvas, at) => { const context = canvas.getContext("2d");
        return at.map(([x, y]) => [...context.getImageData(x, y, 1, 1).data]); }""",
        at[rows].tolist(),
    )
    hues = [[int(HUES[labels[row]][part : part + 2], 16) for part in (0, 2, 4)] for row in rows]
    worst = np.abs(np.array(seen)[:, :3] - hues).max(axis=1)
    assert worst.max() <= 50  # an earlier dot may shine through
    return len(rows)


def test_play_moves_the_replay_and_stops_at_the_end(explorer, site):
    explorer.open(f"{site}#run=0&tab=replay")
    explorer.page.wait_for_selector(".replayed")
    drawn = lambda: explorer.page.locator(".plane").evaluate("canvas => canvas.toDataURL()")  # noqa: E731
    before = drawn()
    explorer.page.get_by_role("button", name="Play").click()
    explorer.page.get_by_role("button", name="Pause").click()
    explorer.page.wait_for_timeout(300)
    paused = drawn()
    assert paused != before
    explorer.page.wait_for_timeout(300)
    assert drawn() == paused
    explorer.page.get_by_role("button", name="Play").click()
    explorer.page.wait_for_function("document.querySelector('.replay button').textContent === 'Play'")
    assert drawn() == before


def test_the_replay_is_in_one_file_too_and_an_old_run_says_that_it_kept_none(explorer, worlds, tmp_path):
    world, file = worlds["two"], tmp_path / "page.html"
    kept = read_replay(world.run)
    file.write_text(static_page([world]), encoding="utf-8")
    explorer.open(f"{file.as_uri()}#tab=replay&epoch=1")
    explorer.shows(".replayed .board canvas", lambda: kept["samples"][1, 3], 3, tolerance=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_module, "replay_of", lambda world: {"why": "This run kept no replay."})
        file.write_text(static_page([world]), encoding="utf-8")
    explorer.page.goto("about:blank")
    explorer.open(f"{file.as_uri()}#tab=replay")
    explorer.page.get_by_text("This run kept no replay.").wait_for()
