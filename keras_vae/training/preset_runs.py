"""Runs from presets, and presets from runs."""

import os
import pathlib

from keras_vae import presets
from keras_vae.config.codec import from_json, to_json
from keras_vae.errors import UsageError
from keras_vae.export import export, export_decoder
from keras_vae.runtime import checksums, devices
from keras_vae.runtime.files import rename, unfinished, write_json, writing
from keras_vae.runtime.json_file import read_json
from keras_vae.runtime.programs import typed_path
from keras_vae.samplers import load, save
from keras_vae.training.config import Config, is_folder_name
from keras_vae.training.run_folder import Run

KEPT = "preset.json"  # beside a run's samplers: the sampler that came with a preset, and its model's checksum


def open_run(text, output="saved_models"):
    """Returns the run that `text` names: the path of its folder, or a preset.

    A preset (`presets.find`) becomes a run in `output` first, under the preset's name. Only the files of a preset are
    used, so somebody else's SavedModels are never run. A run that was made from the same preset before is returned.

    Raises:
        UsageError: There is no such run or preset, or another run has the preset's name.
    """
    if os.path.isfile(os.path.join(text, "config.json")) and not presets.is_preset(text):
        return Run.open(text)
    if not presets.is_known(text):
        return run_at(text)
    folder, name = presets.find(text), presets.name_of(text)
    if not is_folder_name(name):
        raise UsageError(f"{text} has no name for a run: rename the folder")
    path, made_from = pathlib.Path(output) / name, fingerprint(folder)
    if os.path.lexists(path):
        environment = path / "environment.json"
        if environment.is_file() and read_json(environment).get("preset") == made_from:
            return Run.open(path)
        raise UsageError(
            f"{typed_path(path)} exists and is not made from the preset {name}: rename it, or give its path"
        )
    unpack(folder, path, made_from)
    devices.say(f"preset {name}: {typed_path(path)}")
    return Run.open(path)


def run_at(text):
    """Returns the run in the folder `text`; raises a UsageError, which lists the presets too, if it is not one."""
    try:
        return Run.open(text)
    except UsageError as error:
        raise UsageError(f"{error} {presets.unknown(text)}") from error


def check_known(text):
    """Raises a UsageError if `text` is neither a preset nor a run; does not need TensorFlow."""
    if not presets.is_known(text):
        run_at(text)


def training_of(text):
    """Returns the `Config` of the training of a preset or a run, None if unknown, and its images' fingerprint or None."""
    if not presets.is_known(text):
        run = run_at(text)
        return run.read_config(), run.trained_on()
    facts = presets.read_facts(presets.find(text))
    if facts.training is None:
        return None, facts.fingerprint
    return from_json(Config, {**facts.training, "name": None, "output": "saved_models"}), facts.fingerprint


def model_checksum(text):
    """Returns the checksum of the model of a preset or a run, or None."""
    return fingerprint(presets.find(text)) if presets.is_known(text) else run_at(text).model_checksum()


def fingerprint(folder):
    """Returns the checksum of a preset's weights."""
    weights = pathlib.Path(folder) / presets.WEIGHTS
    return checksums.digest(weights) if weights.is_file() else None


def unpack(folder, path, made_from):
    """Writes the run `path`, whole or not at all, from the preset in `folder`."""
    devices.start()
    from keras_vae.model.autoencoder import Autoencoder

    devices.need_tensorflow("a run")
    model, preset = Autoencoder.from_preset(folder), presets.read_facts(folder)
    if preset.training is None:
        raise UsageError(
            f"{folder} does not say which images it was trained on: use keras_vae.VAE.from_preset in a program, and"
            " keras_vae.evaluate(model, images)"
        )
    settings = {**preset.training, "name": path.name, "output": str(path.parent)}
    config = from_json(Config, settings)
    with writing(path), unfinished(path.parent) as temporary:
        run = Run(temporary / path.name)
        run.path.mkdir()
        run.write_config(config)
        run.write_environment(preset=made_from, dataset=preset.fingerprint)
        run.write_model(model)
        results = pathlib.Path(folder) / presets.RESULTS
        if results.is_file():
            run.report.mkdir()
            write_json(run.report / presets.RESULTS, read_json(results))
        export(model, run.serving)
        if model.sampler is not None:
            keep(run, preset.sampler, model, config.classes)
        if not rename(run.path, path):
            raise UsageError(f"{path} has just been made by another process: try again")


def keep(run, name, model, classes):
    """Writes a preset's sampler to its run, and exports a decoder that draws from it."""
    save(model.sampler, run.sampler_file(name))
    write_json(run.samplers / KEPT, {"sampler": name, "model": run.model_checksum()})
    names = classes or tuple(map(str, range(getattr(model.sampler, "num_labels", 0))))
    version = export_decoder(model, run.serving, model.sampler, names)
    run.note_repaired(version.relative_to(run.path).as_posix(), run.made_from(name, names))


def kept_sampler(folder, name):
    """Returns the sampler `name` that came with a preset, if the model of the run is still the preset's, or None.

    Args:
        folder: The folder `samplers` of a run, or None.
        name: The sampler's name in `SAMPLERS`.
    """
    if folder is None or not (folder / KEPT).is_file():
        return None
    kept = read_json(folder / KEPT)
    is_ours = kept.get("sampler") == name and kept.get("model") == Run(folder.parent).model_checksum()
    return load(folder / f"{name}.npz") if is_ours else None


def recommended_sampler(run):
    """Returns the sampler that an evaluation of the run recommends, or None for the prior or without an evaluation."""
    results = run.report / presets.RESULTS
    repair = read_json(results).get("repair") if results.is_file() else None
    name = repair.get("sampler") if isinstance(repair, dict) else None
    path = run.sampler_file(name)
    return load(path) if name and is_folder_name(name) and path.is_file() else None


def write_preset(run, folder, half=True, **about):
    """Writes a run that was evaluated as a preset to the new folder `folder`, and returns its path.

    Args:
        run: The `Run`.
        folder: The path of a folder that does not exist.
        half: Whether to store large arrays in half precision.
        **about: `license`, `data` and `data_license`, as in `keras_vae.presets.About`.
    """
    model = presets.load_model(run.model_file)
    training = {**to_json(run.read_config()), "name": None, "output": "saved_models", "data_dir": None}
    facts = presets.About(training=training, fingerprint=run.trained_on(), **about)
    results = read_json(run.report / presets.RESULTS)
    return presets.write(folder, model, recommended_sampler(run), results, facts, half)
