"""The page of a sweep in a real browser: what is chosen, sorted, filtered and downloaded is what was measured."""

import pytest
from sweep_runs import leave, results_of, swept

from keras_vae.cli.sweep import compared
from keras_vae.sweep.comparison import of_runs, write_comparison
from keras_vae.sweep.folder import Sweep
from keras_vae.sweep.grid import Axis, Grid, Trial
from keras_vae.training.run_folder import Run

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
MISSING = "\N{EN DASH}"
FAILED = "latent-2_objective-autoencoder_seed-1"
LATENT_8 = ("latent-8_objective-vae_seed-0", "latent-8_objective-vae_seed-1")


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory):
    """The paths of pages: of a whole sweep, of one with troubles, of one whose names are markup."""
    folder = tmp_path_factory.mktemp("sweeps")
    made = {
        "whole": swept(folder / "whole"),
        "broken": swept(folder / "broken", failed={FAILED: "became <nan>"}, missing=LATENT_8),
        "<b>hostile</b>": swept(
            folder / "<img src=x onerror=alert(2)>",
            failed={FAILED: "</script><script>alert(3)</script>"},
            hostile=True,
        ),
    }
    pages = {name: compared(sweep)[1] for name, sweep in made.items()}
    return {
        **pages,
        "any runs": any_runs(folder / "any"),
        "fields of one": fields_of_one(folder),
        "hopeless": hopeless(folder),
    }


def hopeless(folder):
    """The page of a sweep of two models that cannot generate."""
    sweep = Sweep.create(Grid((), (Axis("latent", ("2", "8")),)), folder, "hopeless", asked=True)
    for name in sweep.grid.points():
        leave(sweep.run(name), results_of(name, 8, 0.1, verdict="prior_hole"))
    return compared(sweep)[1]


def fields_of_one(folder):
    """The page of a sweep in which only one of the objectives has the field that is swept beside them."""
    axes = (Axis("objective", ("vae", "beta_vae")), Axis("objective.beta", ("2", "4")))
    sweep = Sweep.create(Grid((), axes), folder, "fields", asked=True)
    for name in sweep.grid.points():
        leave(sweep.run(name), results_of(name, 8, 0.1))
    return compared(sweep)[1]


def any_runs(folder):
    """The page of runs whose latent, epochs and batches differ together, and whose objectives differ beside that."""
    runs = []
    for latent, epochs in ((2, 1), (8, 5)):
        for objective in ("vae", "autoencoder"):
            name = f"{objective}-{latent}"
            trial = Trial(latent=latent, epochs=epochs, batch_size=32 * latent, objective=objective)
            runs.append(Run(folder / name))
            leave(runs[-1], results_of(name, latent, 0.1 / latent))
            runs[-1].write_config(trial.training(name, folder))
    return write_comparison(folder, "any", *of_runs(runs))[1]


@pytest.fixture
def show(browser, sweeps):
    """Opens the page of a sweep; at the end nothing may have complained, asked for anything, or opened a box."""
    contexts, complaints = [], []

    def opened(name, **settings):
        contexts.append(browser.new_context(viewport={"width": 1200, "height": 900}, **settings))
        page = contexts[-1].new_page()
        page.set_default_timeout(120_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: request.url.startswith("http") and complaints.append(request.url))
        page.goto(sweeps[name].as_uri())
        page.wait_for_selector("#content[aria-busy=false]")
        page.wait_for_selector(".chart svg")
        return page

    yield opened
    assert complaints == []
    for context in contexts:
        context.close()


def eventually(page, holds):
    """Whether something holds within five seconds: charts are drawn a moment after what asked for them.

    The page's policy forbids Playwright's own way of waiting.
    """
    return any(holds() or page.wait_for_timeout(50) for _ in range(100))


def column(page, title):
    """The texts of a column of the table."""
    titles = page.locator(".runs thead th").all_inner_texts()
    number = next(index for index, found in enumerate(titles) if found.split(" ▲")[0].split(" ▼")[0] == title)
    return [row.locator("th, td").nth(number).inner_text() for row in page.locator(".runs tbody tr").all()]


def test_the_recommendation_and_every_run_are_there(show):
    page = show("whole")
    assert page.locator(".verdict h2").inner_text() == "latent 8, objective vae"
    assert "within one standard error" in page.locator(".verdict .cause").inner_text()
    assert page.locator(".runs tbody tr").count() == 12
    assert page.locator(".runs tbody tr.recommended").count() == 2
    link = page.locator(".runs tbody a").first
    assert link.get_attribute("href") == f"{link.inner_text()}/report/index.html"


def test_a_column_sorts_both_ways_by_number(show):
    page = show("whole")
    title = "Fréchet distance: best sampler"
    page.get_by_role("button", name=title).click()
    rising = [float(text) for text in column(page, title)]
    assert rising == sorted(rising)
    assert len(set(rising)) == 12
    page.keyboard.press("Enter")  # the focus stays on what was pressed
    assert [float(text) for text in column(page, title)] == rising[::-1]
    page.get_by_role("button", name="latent", exact=True).click()
    assert column(page, "latent") == ["2"] * 4 + ["8"] * 4 + ["32"] * 4  # as numbers: 8 before 32


def test_what_is_missing_is_sorted_last_either_way(show):
    page = show("broken")
    for _ in range(2):
        page.get_by_role("button", name="Fréchet distance: prior").click()
        assert column(page, "Fréchet distance: prior")[-3:] == [MISSING] * 3
        assert MISSING not in column(page, "Fréchet distance: prior")[:-3]


def test_the_filter_keeps_runs_with_every_word(show):
    page = show("whole")
    page.get_by_label("Filter the runs").fill("vae seed-1")
    assert column(page, "Run") == [f"latent-{size}_objective-vae_seed-1" for size in (2, 8, 32)]
    page.get_by_label("Seed").select_option("1")
    assert page.locator(".ladders .row:has(figure)").count() == 3


def test_another_metric_is_drawn_with_its_values_and_error_bars(show):
    page = show("whole")
    page.get_by_label("Metric").select_option("reconstruction.test.mse")
    chart = page.locator(".chart").first
    assert chart.locator(".point").count() == 6
    # Latent 2: 0.02 / 2 of both seeds, so that the error is 0.
    seen = []
    chart.locator("svg").focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
        seen.append(chart.locator(".tip").inner_text())
    assert sum("0.0100 ± 0" in text for text in seen) == 2
    assert sum("0.000625 ± 0" in text for text in seen) == 2
    assert sum("latent 8, objective vae" in text and "recommended" in text for text in seen) == 1


def test_hovering_a_point_shows_mean_and_error_over_seeds(show):
    page = show("whole")
    point = page.locator(".chart").first.locator(".point circle:last-child").last
    point.scroll_into_view_if_needed()
    box = point.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    text = page.locator(".chart").first.locator(".tip").inner_text()
    # VAE, latent 32: 0.02 and 0.022.
    assert "latent 32, objective vae" in text
    assert "0.0210 ± 0.0010 (2 seeds)" in text


def test_another_axis_has_a_line_for_each_latent(show):
    page = show("whole")
    page.get_by_label("Axis").select_option("objective")
    assert page.locator(".legend .chip").all_inner_texts() == ["latent 2", "latent 8", "latent 32"]
    page.get_by_role("button", name="latent 8", exact=True).click()
    assert eventually(page, lambda: page.locator(".chart").first.locator(".point").count() == 4)


def test_settings_that_others_tell_already_are_not_named(show):
    page = show("any runs")
    names = page.locator(".ladders .row .name").all_inner_texts()[1:]
    assert names[:2] == ["latent 2, objective vae", "latent 2, objective autoencoder"]
    assert len(names) == 4
    # Along the latent nothing joins runs of different epochs: they differ in more than that.
    assert page.locator(".legend .chip").count() == 4


def test_runs_without_the_field_of_another_component_have_a_line_of_their_own(show):
    page = show("fields of one")
    lines = page.locator(".legend .chip").all_inner_texts()
    assert lines == ["the other runs", "objective.beta 2", "objective.beta 4"]
    assert column(page, "objective.beta") == [MISSING, "2", "4"]


def test_the_plane_has_the_runs_with_a_rate_and_names_the_others(show):
    page = show("whole")
    card = page.locator("section", has=page.get_by_role("heading", name="Rate and distortion"))
    assert card.locator(".point").count() == 3
    assert card.locator(".point-name").all_text_contents() == ["2", "8", "32"]
    assert "Not shown because there is no rate: objective autoencoder" in card.inner_text()


def test_the_csv_that_is_downloaded_is_the_file(show, sweeps):
    page = show("whole")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    assert download.value.suggested_filename == "comparison.csv"
    with open(download.value.path(), "rb") as downloaded:
        assert downloaded.read() == (sweeps["whole"].parent / "comparison.csv").read_bytes()


def test_runs_that_failed_or_have_not_run_are_named(show):
    page = show("broken")
    words = page.locator(".troubles").inner_text()
    assert f"{FAILED}: became <nan>" in words
    assert all(name in words for name in LATENT_8)
    assert "failed" in column(page, "Verdict")


def test_pictures_are_those_of_the_reports(show):
    page = show("whole")
    pictures = page.locator(".ladders img")
    assert pictures.count() == 1 + 6 * 3
    assert pictures.evaluate_all("all => all.every((one) => one.complete && one.naturalWidth > 50)")


def test_names_are_texts_whatever_they_hold(show):
    page = show("<b>hostile</b>")
    assert page.locator("h1").inner_text() == "<img src=x onerror=alert(2)>"
    assert "<img src=x onerror=alert(1)></script>" in page.locator(".facts").inner_text()
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways_in_either_scheme(show, scheme):
    page = show("broken", color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 740})
    assert eventually(page, lambda: page.evaluate("document.documentElement.scrollWidth") <= 360)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, paper[4:-1].split(","))) < 60) == (scheme == "dark")


def test_the_ticks_of_an_axis_have_equal_decimals(show):
    page = show("whole")
    texts = """([values, unit]) => import("sweep/numbers").then((numbers) => numbers.alike(values, unit))"""
    # 0.25, 0.225 and 0.2 stood below each other.
    assert page.evaluate(texts, [[0.2, 0.225, 0.25], None]) == ["0.200", "0.225", "0.250"]
    assert page.evaluate(texts, [[0, 0.5, 1, 1.5], None]) == ["0.0", "0.5", "1.0", "1.5"]
    assert page.evaluate(texts, [[0.1, 0.15, 0.2], "share"]) == ["10%", "15%", "20%"]
    assert page.evaluate(texts, [[-10, 0, 10], None]) == ["\u221210", "0", "10"]
    assert page.evaluate(texts, [[0.1, 1, 10], None]) == ["0.1", "1", "10"]  # of a logarithmic axis
    steps = (
        """([low, high]) => import("sweep/chart").then((chart) => chart.ticks({ low, high, log: false }))"""
    )
    assert page.evaluate(steps, [0.195, 0.285]) == [0.2, 0.22, 0.24, 0.26, 0.28]
    assert page.evaluate(steps, [0, 100]) == [0, 20, 40, 60, 80, 100]
    levels = page.locator(".chart svg").first.locator("text[text-anchor=end]:not(.limit-name)")
    shown = levels.all_text_contents()
    assert len(shown) > 2
    assert len({len(text.partition(".")[2]) for text in shown}) == 1


def test_where_no_setting_is_usable_the_page_says_so(show):
    page = show("hopeless")
    assert page.locator(".verdict h2").inner_text() == "None of these settings is usable"
    assert "tone-bad" in page.locator(".verdict").get_attribute("class")
    assert "prior hole (2 of 2 runs)" in page.locator(".verdict .cause").inner_text()
    assert page.locator(".runs tbody tr.recommended").count() == 0
