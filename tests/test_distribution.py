"""What `python -m build` packs: the source distribution has the repository, and the wheel the package."""

import configparser
import pathlib
import shutil
import subprocess
import sys
import tarfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Files of the repository that the source distribution leaves out.
LEFT_OUT = (".ci/", ".gitignore", "saved_models/")
# What setuptools adds.
ADDED = ("PKG-INFO", "setup.cfg", "keras_vae.egg-info/")


def tracked():
    """The repository's files, or a skip."""
    git = shutil.which("git")
    done = git and subprocess.run([git, "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if not done or done.returncode or not done.stdout:
        pytest.skip("not a git repository")
    return {name for name in done.stdout.splitlines() if (ROOT / name).is_file()}


def test_the_source_distribution_has_every_file_of_the_repository(tmp_path):
    pytest.importorskip("setuptools")
    source = tmp_path / "source"
    names = tracked()
    for name in names:  # a copy, because setuptools writes into the folder that it packs
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    code = f"import setuptools.build_meta as b; print(b.build_sdist({str(tmp_path)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        found = {name.partition("/")[2] for name in packed.getnames() if packed.getmember(name).isfile()}
    expected = {name for name in names if not name.startswith(LEFT_OUT)}
    assert sorted(expected - found) == []
    assert sorted(name for name in found - expected if not name.startswith(ADDED)) == []


def test_the_licence_and_every_kind_of_data_file_are_named():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert config["metadata"]["license"] == "Apache-2.0"
    assert config["metadata"]["license_files"] == "LICENSE"
    data = config["options.package_data"]
    for name in tracked():
        folder, _, file = name.rpartition("/")
        if folder.startswith("keras_vae") and not file.endswith(".py"):
            covered = [
                package
                for package in data
                for pattern in data[package].replace(",", " ").split()
                if pathlib.PurePosixPath(name).match(f"{package.replace('.', '/')}/{pattern}")
            ]
            assert covered, f"{name} is in no wheel: enter it in options.package_data of setup.cfg"
