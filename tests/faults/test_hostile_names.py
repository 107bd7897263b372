"""Names of classes, files and runs that are markup, scripts, paths or noise: they are shown as texts, and lead nowhere."""

import html.parser
import json
import pathlib
import shutil
import urllib.parse

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hostile import NAMES, answer, check
from PIL import Image

import keras_vae.serving.server
from keras_vae import report
from keras_vae.cli import evaluate, train
from keras_vae.cli import serve as serving
from keras_vae.cli import sweep as sweep
from keras_vae.cli.explore import main as explore
from keras_vae.report.page import NAME, clean
from keras_vae.serving.app import make_app
from keras_vae.serving.prepare import prepare
from keras_vae.training.run_folder import Run

pytestmark = pytest.mark.long

TINY = ["--network.widths=4", "--network.dense=8", "--latent=2", "--epochs=1", "--no-download"]
# What a folder can be called; "/" and NUL it cannot.
RUNS = ("<img src=x onerror=hit()>\"'&$(hit)", "\x1b[2J<!--<script>hit()\u2028\n..", "not UTF-8: \udcff")
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(html.parser.HTMLParser):
    """A page as a browser takes it: its elements with their attributes and texts, and all text but that of programs."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.words = [], ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append([tag, dict(attributes), ""])

    def handle_data(self, data):
        if self.elements:
            self.elements[-1][2] += data
            self.words += "" if self.elements[-1][0] in ("script", "style") else data

    def named(self, tag):
        return [(attributes, content) for name, attributes, content in self.elements if name == tag]


def check_page(source):
    """Asserts that a page of ours holds no element of anybody else, and returns it."""
    page = Page(source)
    for tag, attributes, _ in page.elements:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert tag not in ("iframe", "object", "embed", "base", "form"), tag
        for name in ("src", "href", "action", "xlink:href"):
            target = urllib.parse.urlsplit(attributes.get(name) or "")
            assert target.scheme in ("", "data"), (tag, attributes[name][:80])
            assert not target.netloc, (tag, attributes[name][:80])
            assert not target.path.startswith("/"), (tag, attributes[name][:80])
    for attributes, content in page.named("script"):
        if attributes.get("type") in ("application/json", "importmap"):
            json.loads(content)
        else:
            assert "hit" not in content
    assert not any(attributes.get("src") == "x" for attributes, _ in page.named("img"))
    assert len(page.named("title")) == 1
    assert len(page.named("title")[0][1]) < 200
    return page


def said(main, *words, codes=(0,)):
    """What a command says, in lines that a terminal can show; it ends with one of `codes`."""
    found = answer(main, words)
    check(found)
    assert found.code in codes, found.err
    lines = found.out.split("\n")
    assert all(line.isprintable() for line in lines), found.out
    return lines


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder of three runs with hostile names, evaluated, and two of them, of images whose classes have hostile names."""
    folder = tmp_path_factory.mktemp("names") / "a" / "b"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    labels = np.repeat(NAMES, 12)
    np.savez(
        folder / "<b>classes.npz", images=random.random((len(labels), 8, 8)).astype("float32"), labels=labels
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        words = [
            *TINY,
            "--dataset=<b>classes.npz",
            "--objective=conditional_vae",
            "--output=.",
            "--name=plain",
        ]
        said(train.main, *words)
        shutil.move("plain", RUNS[0])
        said(evaluate.main, RUNS[0])
        said(explore, RUNS[0], "--static", "--projector")
        for name in RUNS[1:]:
            shutil.copytree(RUNS[0], name)
        said(sweep.main, "--compare", *RUNS, "--output=.", "--name=compared")
        yield folder, [Run.open(folder / name) for name in RUNS[:2]]


@pytest.fixture(scope="module")
def pages(runs):
    """The pages of the runs, as files: the report, two reports side by side, the comparison, the explorer."""
    folder, (first, second) = runs
    results = json.loads((first.report / "results.json").read_text())
    ladder = {name: np.zeros((8, 8, 8, 1)) for name in ("real", NAMES[0])}
    both = report.write_comparison(
        folder / "both", [results, {**results, "run": second.path.name}], [{"ladder": ladder}] * 2
    )
    return {
        "report": first.report / "index.html",
        "side by side": both,
        "comparison": folder / "compared" / "comparison.html",
        "explorer": first.path / "explorer.html",
    }


@pytest.mark.parametrize("name", ["report", "side by side", "comparison", "explorer"])
def test_a_page_holds_names_as_texts(pages, name):
    page = check_page(pages[name].read_text(encoding="utf-8"))
    (title, shown), *_ = page.named("title")
    assert title == {}
    assert "<img" in shown or "side by side" in shown or "3 runs" in shown


def test_the_explorer_shows_of_each_name_what_a_page_can_hold(pages):
    page = Page(pages["explorer"].read_text(encoding="utf-8"))
    (worlds,) = [content for attributes, content in page.named("script") if attributes.get("id") == "worlds"]
    names = json.loads(worlds)[0]["label_names"]
    assert sorted(names) == sorted(clean(name, NAME) for name in NAMES)
    assert max(map(len, names)) == NAME
    assert not any("\x1b" in name or "\0" in name for name in names)


def test_nothing_was_written_elsewhere(runs, pages):
    folder, _ = runs
    # What measures features is kept in the cache, unless another test of this process has already made it.
    found = {path.name for path in folder.iterdir()} - {"cache"}
    assert found == {"<b>classes.npz", "compared", "both", *RUNS}
    assert [path.name for path in folder.parent.iterdir()] == ["b"]
    assert [path.name for path in folder.parent.parent.iterdir()] == ["a"]
    assert not pathlib.Path("/outside").exists()


def test_a_run_in_a_folder_whose_name_is_not_utf_8_is_measured_shown_and_served_or_refused(runs, monkeypatch):
    monkeypatch.chdir(runs[0])
    monkeypatch.setattr(keras_vae.serving.server, "serve", lambda *arguments: None)
    for main, words in (
        (evaluate.main, [RUNS[2], "--no-repair"]),
        (explore, [RUNS[2], "--static"]),
        (serving.main, ["run", RUNS[2], "--port=0"]),
        (train.main, ["--resume", RUNS[2], "--epochs=2"]),
    ):
        said(main, *words, codes=(0, 2))


def test_tables_for_other_programs_are_not_run_by_them(runs, pages):
    folder, (first, _) = runs
    for path in (folder / "compared" / "comparison.csv", folder / "both" / "comparison.csv"):
        assert not any(
            cell.startswith(("=", "@"))
            for cell in path.read_text(encoding="utf-8").replace("\n", ",").split(",")
        )
    rows = (first.logs / "projector" / "metadata.tsv").read_text(encoding="utf-8").split("\n")
    codes = (first.logs / "projector" / "codes.tsv").read_text(encoding="utf-8").split("\n")
    assert len(rows) == len(codes)


def test_the_server_shows_names_as_texts_and_gives_no_other_files(runs):
    _, found = runs
    with TestClient(make_app(found), base_url="http://127.0.0.1") as client:
        page = check_page(client.get("/").text)
        assert "<img src=x" in page.named("title")[0][1]
        assert client.get("/explorer/api/runs").json() == [run.path.name for run in found]
        world = client.get("/explorer/api/0/world")
        assert world.headers["content-type"] == "application/json"
        for run in found:
            name = urllib.parse.quote(f"{run.path.name}-decoder", safe="", errors="surrogateescape")
            status = client.get(f"/v1/models/{name}")
            assert status.headers["content-type"] == "application/json"
        for path in (
            "..%2fconfig.json",
            "%2e%2e/config.json",
            "..%2f..%2f..%2fetc%2fpasswd",
            "%2fetc%2fpasswd",
            "a%00b",
            "n" * 10_000,
        ):
            for route in ("/explorer/report/0", "/explorer/static", "/v1/models"):
                refused = client.get(f"{route}/{path}")
                assert refused.status_code in (400, 404), (route, path)
                assert "json" in refused.headers["content-type"]


def test_what_tf_serving_reads_names_no_run(runs):
    _, (first, _) = runs
    for path in prepare(first):
        assert path.resolve().is_relative_to(first.path.resolve())
    for name in ("models.config", "compose.yaml"):
        assert "hit" not in (first.serving / name).read_text(encoding="utf-8")


def test_pictures_with_hostile_names_are_named_in_lines_that_a_terminal_can_show(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for number, name in enumerate(["<b>", "\x1b[2J\n", "\udcff", "n" * 200, "\u202e"]):
        (tmp_path / "pictures" / f"{name}{number}").mkdir(parents=True)
        for other in ("x", "\x1b]0;hit\x07", "$(hit)"):
            image = Image.fromarray(random.integers(0, 256, (8, 8), "uint8"))
            with open(tmp_path / "pictures" / f"{name}{number}" / f"{other}.png", "wb") as file:
                image.save(file, "PNG")
        (tmp_path / "pictures" / f"{name}{number}" / "broken\x1b[1m\n\udcff.png").write_bytes(b"no picture")
    found = answer(
        train.main, [*TINY, "--dataset=./pictures", "--image_size=8", "--channels=1", "--output=."]
    )
    check(found)
    assert found.code == 0, found.err
    lines = found.out.split("\n")
    assert all(line.isprintable() for line in lines)
    assert sum(line.startswith("skipped ") for line in lines) == 5
    config = json.loads((tmp_path / "pictures-vae-2" / "config.json").read_text(encoding="utf-8"))
    assert config["dataset"]["path"] == "./pictures"


def test_in_a_browser_no_name_runs_as_a_script(pages, browser):
    context = browser.new_context()
    context.add_init_script("window.hits = 0; window.hit = () => { window.hits += 1; };")
    page = context.new_page()
    page.set_default_timeout(120_000)
    said = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: request.url.startswith("http") and said.append(request.url))
    for name, path in pages.items():
        page.goto(path.as_uri())
        page.wait_for_selector(
            "#app[aria-busy=false]" if name == "explorer" else "#content:not([aria-busy=true])"
        )
        assert page.evaluate("window.hits") == 0, name
        assert page.locator("img[src=x]").count() == 0, name
    assert "onerror=hit()>" in page.locator("body").inner_text()
    assert said == []
    context.close()
