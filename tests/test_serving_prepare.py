"""What is written for TF Serving, read back by the readers that TF Serving uses."""

import re
import shutil
import subprocess
import sys

import pytest
import yaml
from exported import write_run
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from keras_vae.cli.serve import main
from keras_vae.errors import UsageError
from keras_vae.serving.prepare import BATCH_SIZES, Canary, prepare
from keras_vae.training.run_folder import Run


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A run whose decoder has three versions."""
    run, _ = write_run(tmp_path_factory.mktemp("exported") / "run")
    for number in "23":
        shutil.copytree(run.serving / "decoder" / "1", run.serving / "decoder" / number)
    return run


@pytest.fixture
def run(exported, tmp_path):
    return Run(shutil.copytree(exported.path, tmp_path / "run"))


def models(run):
    """Returns the configured models by name, as TF Serving's own message."""
    config = text_format.Parse((run.serving / "models.config").read_text(), ModelServerConfig())
    return {model.name: model for model in config.model_config_list.config}


def batching_parameters():
    """Returns an empty `BatchingParameters`, which tensorflow-serving-api leaves out.

    From `servables/tensorflow/session_bundle_config.proto`, with the fields of its guide.
    """
    fields = ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads")
    file = descriptor_pb2.FileDescriptorProto(
        name="batching.proto", package="test", dependency=[wrappers_pb2.DESCRIPTOR.name], syntax="proto3"
    )
    message = file.message_type.add(name="BatchingParameters")
    for number, name in enumerate(fields, start=1):
        message.field.add(name=name, number=number, label=1, type=11, type_name=".google.protobuf.Int64Value")
    message.field.add(name="allowed_batch_sizes", number=5, label=3, type=3)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("test.BatchingParameters"))()


def test_all_that_is_written_is_said_and_there(run):
    written = prepare(run)
    names = [path.relative_to(run.serving).as_posix() for path in written]
    warmup = "assets.extra/tf_serving_warmup_requests"
    assert names == [
        f"decoder/3/{warmup}",
        f"decoder/2/{warmup}",
        f"decoder/1/{warmup}",
        f"encoder/1/{warmup}",
        "models.config",
        "batching.config",
        "compose.yaml",
    ]
    assert all(path.is_file() for path in written)


def test_models_config_serves_both_models_and_the_version_before(run):
    prepare(run)
    found = models(run)
    assert set(found) == {"decoder", "encoder"}
    for name, model in found.items():
        assert model.base_path == f"/models/{name}"
        assert model.model_platform == "tensorflow"
        assert model.model_version_policy.latest.num_versions == 2
        assert not model.version_labels


def test_a_canary_gives_labels_to_two_versions_of_the_decoder(run):
    prepare(run, Canary(stable=1, canary=3))
    found = models(run)
    assert found["decoder"].model_version_policy.specific.versions == [1, 3]
    assert dict(found["decoder"].version_labels) == {"stable": 1, "canary": 3}
    assert found["encoder"].model_version_policy.latest.num_versions == 2
    prepare(run, Canary(stable=3, canary=3))  # promoted
    assert models(run)["decoder"].model_version_policy.specific.versions == [3]


def test_a_canary_that_is_not_exported_is_refused_and_nothing_is_written(run):
    before = sorted(run.path.rglob("*"))
    with pytest.raises(UsageError, match=r"--canary 4: the decoder's versions are 1, 2, 3"):
        prepare(run, Canary(stable=1, canary=4))
    with pytest.raises(ValueError, match="stable and canary must be given together"):
        Canary(stable=1)
    assert sorted(run.path.rglob("*")) == before


def test_batching_parameters_are_those_that_the_warm_up_was_made_for(run):
    prepare(run)
    found = text_format.Parse((run.serving / "batching.config").read_text(), batching_parameters())
    assert found.max_batch_size.value == max(BATCH_SIZES)
    assert 0 < found.batch_timeout_micros.value < 10_000
    assert found.max_enqueued_batches.value >= 1
    assert not found.HasField("num_batch_threads")


def test_compose_mounts_what_the_flags_name(run):
    prepare(run)
    service = yaml.safe_load((run.serving / "compose.yaml").read_text())["services"]["serving"]
    assert service["image"].startswith("tensorflow/serving:")
    assert service["entrypoint"] == ["tensorflow_model_server"]
    assert service["volumes"] == [".:/models:ro"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    flags = dict(flag.removeprefix("--").split("=") for flag in service["command"])
    for flag in ("model_config_file", "batching_parameters_file"):
        assert (run.serving / flags[flag].removeprefix("/models/")).is_file()
    assert {port.split(":")[-1] for port in service["ports"]} == {flags["port"], flags["rest_api_port"]}
    for model in models(run).values():
        assert (run.serving / model.base_path.removeprefix("/models/")).is_dir()


def test_prepare_goes_from_the_command_line(run, capsys):
    main(["prepare", str(run.path), "--stable", "1", "--canary", "2"])
    out = capsys.readouterr().out
    assert str(run.serving / "compose.yaml") in out
    assert dict(models(run)["decoder"].version_labels) == {"stable": 1, "canary": 2}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prepare", "NOWHERE"], "NOWHERE is not a run folder"),
        (["prepare", "RUN", "--stable", "1"], "stable and canary must be given together"),
        (["prepare", "RUN", "--stable", "1", "--canary", "9"], "--canary 9: the decoder's versions are 1, 2, 3"),
        (["prepar", "RUN"], "did you mean prepare?"),
        (["run", "RUN", "--port", "70000"], "port is 70000: it must be between 0 and 65535"),
        (["run", "RUN", "--max_batch", "0"], "max_batch is 0: it must be at least 1"),
        (["run"], "the following arguments are required: RUN"),
        (["prepare", "EMPTY"], "holds no exported version"),
        (["run", "EMPTY", "--port", "0"], "holds no exported version"),
    ],
)  # fmt: skip
def test_bad_input_ends_with_2_and_one_line(words, message, exported, tmp_path, capsys):
    (tmp_path / "config.json").write_text("{}")
    places = {"RUN": str(exported.path), "EMPTY": str(tmp_path)}
    with pytest.raises(SystemExit) as caught:
        main([places.get(word, word) for word in words])
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "named"),
    [([], "prepare RUN"), (["prepare", "--help"], "--canary"), (["run", "--help"], "--port")],
)
def test_help_names_what_there_is(words, named):
    process = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "keras_vae.serving", *words],
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0
    assert named in process.stdout
    imported = re.findall(r"\| +(\w+)$", process.stderr, re.MULTILINE)
    assert "argparse" in imported
    assert not {"tensorflow", "keras", "fastapi"} & set(imported)
