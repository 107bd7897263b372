"""What all tests share."""

import inspect
import os
import shutil
import signal

import pytest

# As train.py sets it before TensorFlow is imported (`keras_vae.runtime.devices.choose_onednn`): tests compare the numbers of
# runs with those that are computed here.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def pytest_addoption(parser):
    """Adds `--long`."""
    parser.addoption("--long", action="store_true", help="run the long tests too: an hour on two cores")


def pytest_configure(config):
    """Registers the mark `long`."""
    config.addinivalue_line("markers", "long: takes long, and runs with --long only")


def pytest_report_header(config):
    """Says that long tests are left out."""
    if not config.getoption("--long"):
        return "long tests: left out, unless -k or a name chooses nothing else (--long runs them all)"
    return None


@pytest.hookimpl(trylast=True)  # after -k
def pytest_collection_modifyitems(config, items):
    """Leaves out the long tests, unless they are asked for: by `--long`, by their names, or by a -k that finds no others."""
    if config.getoption("--long") or any("::" in argument for argument in config.args):
        return
    if config.getoption("keyword") and all(item.get_closest_marker("long") for item in items):
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    items[:] = [item for item in items if not item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session", autouse=True)
def quick_samplers():
    """Evaluations fit the quick samplers only, unless a test says otherwise: a minute each would be hours."""
    from keras_vae.evaluation import Evaluation

    field, made = Evaluation.__dataclass_fields__["repair_minutes"], Evaluation.__init__
    before, defaults = field.default, made.__defaults__
    place = list(inspect.signature(made).parameters).index("repair_minutes") - len(
        inspect.signature(made).parameters
    )
    made.__defaults__ = (*defaults[:place], 0.0, *defaults[len(defaults) + place + 1 :])
    field.default = 0.0
    yield
    made.__defaults__, field.default = defaults, before


@pytest.fixture(scope="session", autouse=True)
def ctrl_c():
    """Ctrl-C interrupts, also the processes that tests start: a shell's background jobs would ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium, by Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium (Debian's package chromium)")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()
