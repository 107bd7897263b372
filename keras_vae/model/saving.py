"""Writes a model to a file: the whole model, only its weights, or a program for other runtimes."""

from __future__ import annotations

import importlib.util
import os
import warnings
from typing import TYPE_CHECKING, Any, Self, cast

from keras_vae import presets
from keras_vae.config.codec import did_you_mean
from keras_vae.errors import UsageError
from keras_vae.model.quantization import quantize_layers, quantized_layers
from keras_vae.model.twin import twin_in
from keras_vae.runtime.devices import without_notes
from keras_vae.runtime.lazy import keras
from keras_vae.runtime.upstream import writes_legacy_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keras_vae.model.autoencoder import Autoencoder

    Path = str | os.PathLike[str]

# The formats of `keras.Model.export` and the endings of their files. Torch's format needs Keras' torch backend.
FORMATS = {"tf_saved_model": "", "litert": ".tflite", "onnx": "", "openvino": ".xml"}
# The packages that Keras needs to write a format. They are imported on use; those for ONNX are not our dependencies.
PACKAGES = {
    "tf_saved_model": ("tensorflow",),
    "litert": ("tensorflow",),
    "onnx": ("onnx", "tf2onnx"),
    "openvino": ("openvino",),
}
WEIGHTS = ".weights.h5"
MODES = ("int8", "int4", "float8")  # of quantization; "gptq" and "awq" calibrate blocks of transformers
LEGACY = (".h5", ".hdf5")  # of Keras 2


class Saving:
    """The methods of `keras.Model` for files, adapted to our models."""

    def export(
        self,
        filepath: Path,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: list[Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Writes the reconstruction, `call`, as a program for other runtimes; see `keras.Model.export`.

        A SavedModel has the endpoints `serve` and `serving_default`, which take `image`, float32 `[n, height, width,
        channels]`, and for a conditional model also `label`, int64 `[n]`: `serve((images, labels))`. The model need not
        have been called before. `keras_vae.export.saved_models.export` writes decoder and encoder instead.

        Args:
            filepath: The file or folder to write; a LiteRT file ends in `.tflite`, an OpenVINO file in `.xml`.
            format: One of `tf_saved_model`, `litert`, `onnx` and `openvino`.
            verbose: As in Keras.
            input_signature: As in Keras; by default any number of images.
            **kwargs: As in Keras.

        Raises:
            ValueError: The format is unknown, or the file's name does not match it.
            ImportError: The package that writes the format is not installed.
        """
        filepath = os.fspath(filepath)
        check_format(format, filepath)
        check_packages(format)
        with without_notes():
            super().export(filepath, format, verbose, input_signature or self.input_signature(), **kwargs)

    def input_signature(self) -> list[Any]:
        """Returns the input signature of `call` for `keras.Model.export`."""
        images = keras.InputSpec(shape=(None, *self.image_shape), dtype="float32", name="image")
        if not self.conditional:
            return [images]
        return [(images, keras.InputSpec(shape=(None,), dtype="int64", name="label"))]

    def save(self, filepath: Path, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any) -> None:
        """Saves the whole model as a `.keras` file; see `keras.Model.save`.

        Raises:
            ValueError: The name has another ending. HDF5 files of Keras 2 cannot store this model.
        """
        if zipped is not False:
            expect_ending(filepath, ".keras", "a whole model is saved")
        return super().save(filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def save_weights(
        self, filepath: Path, overwrite: bool = True, max_shard_size: float | None = None
    ) -> None:
        """Saves the weights as a `.weights.h5` file; see `keras.Model.save_weights`.

        Raises:
            ValueError: The name has another ending.
        """
        if max_shard_size is None:
            expect_ending(filepath, WEIGHTS, "weights are saved and loaded")
        return super().save_weights(filepath, overwrite=overwrite, max_shard_size=max_shard_size)

    def load_weights(self, filepath: Path, *args: Any, **kwargs: Any) -> None:
        """Loads the weights of a `.weights.h5` or `.keras` file; see `keras.Model.load_weights`.

        Raises:
            ValueError: It is an HDF5 file of Keras 2, or its weights do not match this model.
        """
        if extension_of(filepath) in LEGACY:
            expect_ending(filepath, WEIGHTS, "weights are saved and loaded")
        return super().load_weights(filepath, *args, **kwargs)

    def quantize(self, mode: str | None = None, config: Any = None, **kwargs: Any) -> None:
        """Quantizes Keras' own dense layers, the only ones that Keras can quantize; see `keras.Model.quantize`.

        A compiled model gets a new optimizer at the same step and can be trained further.

        Raises:
            ValueError: The mode is unknown, or is only for language models.

        Warns:
            UserWarning: The model has no layer that Keras can quantize.
        """
        wanted = mode or getattr(config, "mode", None)
        if wanted not in MODES:
            raise ValueError(f"mode is {wanted!r}: expected one of {', '.join(MODES)}")
        with warnings.catch_warnings():
            # Keras warns about each layer, even about those without weights.
            warnings.filterwarnings("ignore", "Layer .* does not have a `quantize` method", UserWarning)
            super().quantize(mode, config=config, **kwargs)
        if not quantized_layers(self):
            warnings.warn(
                "nothing was quantized: Keras quantizes dense layers, and this model has none", stacklevel=2
            )
        elif self.compiled:
            self.renew_optimizer()

    def renew_optimizer(self) -> None:
        """Gives a compiled model an optimizer for its current weights, at the step of the old one."""
        step = keras.ops.convert_to_numpy(self.optimizer.iterations)
        self.compile_from_config(self.get_compile_config())
        self.optimizer.iterations.assign(step)

    @classmethod
    def from_preset(cls, preset: str | os.PathLike[str]) -> Autoencoder:
        """Returns a trained model. `sample` draws from its recommended sampler, the attribute `sampler`, if it has one.

        ```python
        model = keras_vae.VAE.from_preset("digits-8")
        model.sample(16)                        # [16, 8, 8, 1]
        ```

        Args:
            preset: The name of a preset (docs/guides/presets.md lists them), the path of a folder that `save_to_preset`
                has written, or an address on the Hugging Face Hub, `"hf://user/repository"`, which needs
                `pip install --editable '.[hub]'`.

        Raises:
            UsageError: The preset does not exist, or its files are missing, damaged or unsafe.
        """
        folder = presets.find(preset)
        model, sampler = presets.read(folder)
        if not isinstance(model, Saving):
            raise UsageError(f"{folder} contains a {type(model).__name__}: expected an Autoencoder")
        model.sampler = sampler
        return cast("Autoencoder", model)

    def save_to_preset(
        self,
        folder: str | os.PathLike[str],
        results: Mapping[str, Any] | None = None,
        license: str | None = None,
        data: str | None = None,
        data_license: str | None = None,
        half: bool = False,
    ) -> Path:
        """Writes the model, without its optimizer, and its `sampler` to a new folder for `from_preset`.

        The folder has a model card, README.md. It can be uploaded to the Hugging Face Hub as it is.

        Args:
            folder: The path of a folder that does not exist; its name is the preset's.
            results: The results of `keras_vae.evaluate`, for the model card, or None.
            license: The licence of the weights, as the Hub spells it: `"apache-2.0"`.
            data: A description of the training images, for the model card.
            data_license: The licence of the training images, for the model card.
            half: Whether to store large arrays in half precision, which halves the files.

        Raises:
            UsageError: The folder exists.
            WriteError: The folder cannot be written.
        """
        about = presets.About(license=license, data=data, data_license=data_license)
        copy = twin_in(self.dtype_policy.name, self)
        return presets.write(folder, copy, self.sampler, results, about, half)

    def get_config(self) -> dict[str, Any]:
        if writes_legacy_file():  # set by `keras.saving.save_model("x.h5")`
            raise ValueError(
                "a whole model is saved as .keras: HDF5 files of Keras 2 (.h5) cannot store it (try"
                " model.save('model.keras'))"
            )
        quantized = quantized_layers(self)
        return {"quantized": quantized} if quantized else {}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        config = dict(config)
        quantized = config.pop("quantized", {})
        model = super().from_config(config, custom_objects)
        quantize_layers(model, quantized)
        return model


def check_format(name: str, filepath: str) -> None:
    """Raises a ValueError if Keras cannot export to the format `name`, or not to a file of that name."""
    if name not in FORMATS:
        close = did_you_mean(str(name), FORMATS)
        raise ValueError(f"format is {name!r}: expected one of {', '.join(FORMATS)}{close}")
    if FORMATS[name]:
        expect_ending(filepath, FORMATS[name], f"the format {name} is written")


def check_packages(name: str) -> None:
    """Raises an ImportError if a package is missing that writes the format `name`."""
    lacking = [package for package in PACKAGES[name] if importlib.util.find_spec(package) is None]
    if lacking:
        raise ImportError(
            f"format {name} needs packages that are not installed: pip install {' '.join(lacking)}",
            name=lacking[0],
        )


def expect_ending(filepath: object, ending: str, what: str) -> None:
    """Raises a ValueError if `filepath` does not have the `ending` of a file for `what`."""
    if not isinstance(filepath, str | os.PathLike) or os.fspath(filepath).endswith(ending):
        return
    stem, extension = os.path.splitext(os.fspath(filepath))
    stem = stem.removesuffix(".weights") if extension.lower() in (*LEGACY, ".keras") else os.fspath(filepath)
    raise ValueError(f"filepath is {os.fspath(filepath)!r}: {what} as {ending} (try {stem + ending!r})")


def extension_of(filepath: object) -> str:
    """Returns the extension of a path in lower case, with `.weights.h5` as one; empty if it is not a path."""
    if not isinstance(filepath, str | os.PathLike):
        return ""
    name = os.fspath(filepath).lower()
    return WEIGHTS if name.endswith(WEIGHTS) else os.path.splitext(name)[1]
