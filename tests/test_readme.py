import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


def fenced_block_after(marker):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.search(rf"<!-- {marker} -->\n```\n(.*?)\n```", text, re.DOTALL).group(1)


def test_main_command_makes_its_environment_and_trains():
    command = fenced_block_after("main")
    assert "-m venv" in command
    assert command.endswith("train.py")


def test_test_command_makes_its_environment_and_runs_the_tests():
    command = fenced_block_after("tests")
    assert "-m venv" in command
    assert command.endswith("-m pytest")


def test_it_is_short_and_shows_a_picture_first():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 1200
    assert text.index("![") < text.index("```")


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.name
)
def test_every_link_leads_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    made = (ROOT / ".gitignore").read_text(encoding="utf-8").split()  # by the build of the documentation
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if not target.startswith(("http:", "https:", "mailto:")):
            path = (page.parent / target).resolve()
            assert path.exists() or path.relative_to(ROOT).as_posix() in made, target


def test_every_place_on_the_page_on_architecture_exists():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    places = text[: text.index("## How a batch flows")]
    for name in re.findall(r"^(\w+(?:/|\.py))", places, re.MULTILINE):
        assert (ROOT / "keras_vae" / name).exists(), name
