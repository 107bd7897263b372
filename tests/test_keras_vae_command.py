"""`keras-vae`, one command with the others as subcommands."""

import subprocess
import sys
import zipfile

import numpy as np
import pytest
from test_older import OLDER

import keras_vae_commands
from keras_vae.cli import export
from keras_vae.runtime.lazy import keras


def test_it_lists_its_commands(capsys):
    keras_vae_commands.main([])
    listed = capsys.readouterr().out
    assert all(f"\n  {name} " in listed for name in keras_vae_commands.COMMANDS)


def test_an_unknown_command_is_refused(capsys):
    with pytest.raises(SystemExit) as exit:
        keras_vae_commands.main(["trian"])
    assert exit.value.code == 2
    assert "unknown command trian: expected train, evaluate" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["train", "evaluate", "sample", "score", "pack", "sweep", "export"])
def test_help_is_short_and_has_the_examples_first(name, capsys):
    with pytest.raises(SystemExit):
        keras_vae_commands.main([name, "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 50
    if "examples:" in lines:
        assert lines.index("examples:") < lines.index("options:")


@pytest.mark.parametrize("name", ["train", "evaluate"])
def test_help_all_has_the_settings_of_components(name, capsys):
    with pytest.raises(SystemExit):
        keras_vae_commands.main([name, "--help", "all"])
    assert "--likelihood.sigma" in capsys.readouterr().out


@pytest.mark.long
def test_a_run_is_exported_for_another_runtime(tmp_path, capsys):
    openvino = pytest.importorskip("openvino")
    with zipfile.ZipFile(OLDER / "run.zip") as packed:
        packed.extractall(tmp_path / "run")
    keras_vae_commands.main(["export", str(tmp_path / "run"), "--format", "openvino"])
    assert "decoder.xml" in capsys.readouterr().out
    core = openvino.Core()
    decode = core.compile_model(core.read_model(tmp_path / "run" / "openvino" / "decoder.xml"), "CPU")
    codes = np.zeros((2, 2), "float32")
    expected = keras.saving.load_model(tmp_path / "run" / "model.keras").decode(codes)
    np.testing.assert_allclose(decode(codes)[0], expected, atol=1e-3)


def test_a_missing_package_is_said_in_one_line(tmp_path, capsys):
    with zipfile.ZipFile(OLDER / "run.zip") as packed:
        packed.extractall(tmp_path / "run")
    with pytest.raises(SystemExit) as exit:
        export.main([str(tmp_path / "run"), "--format", "onnx"])
    assert exit.value.code == 2
    assert "pip install" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["keras_vae.explorer", "keras_vae.serving", "keras_vae.sweep"])
def test_a_mistyped_option_is_refused_in_one_line_without_tensorflow(module):
    command = [sys.executable, "-X", "importtime", "-m", module, "--prot"]
    process = subprocess.run(command, capture_output=True, text=True)
    lines = process.stderr.splitlines()
    imported = [line.split()[-1] for line in lines if line.startswith("import time:")]
    (said,) = (line for line in lines if not line.startswith("import time:"))
    assert process.returncode == 2
    assert "--prot" in said
    assert "tensorflow" not in imported
