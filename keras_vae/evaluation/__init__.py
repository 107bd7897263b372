"""Measures whether a model's latent space can generate, and why not.

Data flows one way: subject -> measurements -> repair -> verdict -> report (`keras_vae.report`). Each step is a function
of the previous ones.

Imports: `training`, `export`, `model`, `samplers`. Begin with `sections/__init__.py`, which takes all measurements in
order, and `verdict/__init__.py`. `subject.py` defines the interface of a measured model, `metrics/` has functions of
arrays, and `results/` the types of results.json.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_vae.evaluation.settings import Evaluation
from keras_vae.runtime import devices

if TYPE_CHECKING:
    from keras_vae.training.run_folder import Run

__all__ = ["Evaluation", "evaluate"]


def evaluate(model: object, dataset: object = None, **settings: Any) -> dict[str, Any]:
    """Measures `model` on `dataset` and returns the results, as in results.json.

    Args:
        model: A `Run` (as `train` returns it), the path of a run's folder, of a `.keras` file or of an export, an
            `Autoencoder`, a Keras model (of images to images, or with attributes encoder and decoder), a pair (encoder,
            decoder) of paths, Keras models or functions, or a `Subject` (`keras_vae.from_functions(encode, decode)`).
        dataset: A `Dataset` (`load_dataset`), a dataset's name, a folder or file of images, an array of images,
            (images, labels), a tuple of two or three of these for training, validation and test, or a tf.data.Dataset.
            None: the dataset that the run was trained on.
        **settings: Fields of `Evaluation`: `seed`, `features`, `extended`, `nll_samples`, `encoder_range`, ...

    Raises:
        UsageError, DatasetError: The model or the images cannot be used.
    """
    return measured_and_concluded(model, dataset, **settings)[0]


def measured_and_concluded(
    model: object, dataset: object = None, **settings: Any
) -> tuple[dict[str, Any], dict[str, Any], Run | None]:
    """Returns the results of `evaluate`, the pictures for its report, and the run of the model or None."""
    from keras_vae.evaluation.adapters import dataset_of, model_of, source_of
    from keras_vae.evaluation.conclusion import conclude
    from keras_vae.evaluation.repair import Repair
    from keras_vae.evaluation.sections import measure

    devices.need_tensorflow("evaluate")
    asked = Evaluation(**settings)
    given = model_of(model)
    images = dataset_of(dataset, given, asked, settings)
    measured = measure(given.subject(images, asked), images, asked)
    results = conclude(measured, Repair("program"), source_of(given, dataset, asked, settings))
    return results, measured.pictures, given.run
