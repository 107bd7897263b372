import pathlib
import re

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


def test_every_file_that_the_readme_places_exists():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    places = text[text.index("## Where things are") :]
    for name in re.findall(r"\b(\w+\.py|\w+/)(?=\s)", places):
        rooms = ("keras_vae", "keras_vae/evaluation", ".")
        assert any((ROOT / room / name).exists() for room in rooms), name
