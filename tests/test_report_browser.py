"""The report in a real browser: one screen, one printed page, and everything else at a click."""

import json
import re

import pytest
from test_report import HOSTILE, pictures_of, spread_code

from keras_vae import report

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The path of a report without plots."""
    from sklearn.datasets import load_digits

    data = load_digits()
    pictures = pictures_of((data.images[..., None] / 16).astype("float32"), data.target)
    run = tmp_path_factory.mktemp("runs") / "mnist-vae-8x8x1024"
    run.mkdir()
    (run / "config.json").write_text("{}")
    results = spread_code()
    results["told_apart"] = {name: {"auc": 0.8, "auc_se": 0.02} for name in ("prior", "mixture", "posterior")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "draw_all", lambda folder, wanted: {})
        return report.write_report(run / "report", results, pictures)


@pytest.fixture
def show(browser, written):
    """Opens the report; at the end nothing may have complained or asked for anything."""
    contexts, complaints = [], []

    def opened(anchor="", width=1280, height=900, **settings):
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **settings))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(written.as_uri() + anchor)
        return page

    yield opened
    assert complaints == []
    for context in contexts:
        context.close()


def test_verdict_pictures_numbers_and_steps_are_one_screen(show):
    page = show()
    for what in (".verdict h2", ".verdict .rows", ".verdict .tiles", ".verdict .remedy"):
        box = page.locator(what).bounding_box()
        assert box["y"] + box["height"] <= 900, what
    assert page.locator("table:visible").count() == 0


def pages_of(pdf):
    """Returns the number of pages of a PDF."""
    return max(int(count) for count in re.findall(rb"/Count (\d+)", pdf))


def test_it_prints_on_one_page_and_opened_sections_after_it(show):
    page = show(color_scheme="dark")
    printed = page.pdf(prefer_css_page_size=True)
    assert pages_of(printed) == 1
    assert re.search(rb"/MediaBox \[0 0 59[45][.\d]* 84[12][.\d]*\]", printed)  # A4, in points
    page.evaluate("document.getElementById('rate').open = true")
    assert pages_of(page.pdf(prefer_css_page_size=True)) == 2


def test_a_link_to_a_section_or_into_it_opens_it(show):
    page = show("#rate")
    assert page.locator("#rate").get_attribute("open") is not None
    assert page.locator("#ladder").get_attribute("open") is None
    page.evaluate("location.hash = 'ladder'")
    page.wait_for_selector("#ladder[open]")
    page.evaluate("location.hash = '%E0%A4%A'")  # not a valid address
    page.locator("#cost summary").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#cost[open]")


@pytest.mark.parametrize("how", ["mouse", "keyboard", "touch"])
def test_a_note_opens_where_its_word_stands(show, how):
    page = show("#rate", width=390 if how == "touch" else 1280, has_touch=how == "touch")
    term = page.locator("#rate .term", has_text="Effective beta").first
    note = page.locator("#" + term.get_attribute("popovertarget").replace(".", r"\."))
    assert not note.is_visible()
    if how == "keyboard":
        term.focus()
        page.keyboard.press("Enter")
    elif how == "touch":
        term.tap()
    else:
        term.click()
    note.wait_for(state="visible")
    assert "0.0156" in note.inner_text()
    page.wait_for_function("document.querySelector(':popover-open').style.top !== ''")
    # In one call: the page may still be scrolling to its anchor.
    word, box = term.evaluate(
        "(term, id) => [term, document.getElementById(id)].map((one) => one.getBoundingClientRect().toJSON())",
        note.get_attribute("id"),
    )
    above, below = word["y"] - box["y"] - box["height"], box["y"] - word["y"] - word["height"]
    assert 0 <= max(above, below) < 20
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= page.viewport_size["width"]
    page.keyboard.press("Escape")
    note.wait_for(state="hidden")


def test_results_are_downloaded_from_the_page(show, written):
    page = show()
    with page.expect_download() as waiting:
        page.get_by_text("Download results.json").click()
    found = json.loads(waiting.value.path().read_text())
    assert waiting.value.suggested_filename == "results.json"
    expected = json.loads((written.parent / "results.json").read_text())
    assert found == {**expected, "decoder_likelihood": "bernoulli"}  # the registry's name of the older result


def test_the_explorers_server_gets_a_link_to_the_explorer(show, written):
    page = show()
    assert not page.locator("#explorer").is_visible()
    assert " serve run path/to/mnist-vae-8x8x1024" in page.locator(".explore code").inner_text()
    html = written.read_text()
    page.route("http://served/**", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto("http://served/below/explorer/report/0/index.html")
    assert page.locator("#explorer").get_attribute("href") == "/below/"
    assert page.locator("#explorer").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(show, scheme):
    page = show(width=390, height=844, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_hostile_name_does_not_widen_the_page(browser, tmp_path):
    results = {"run": HOSTILE, "verdict": {"name": "healthy", "findings": []}}
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(report.write_report(tmp_path, results, {}).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.close()
