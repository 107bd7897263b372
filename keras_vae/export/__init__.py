"""Exports of models for other programs: SavedModels for TensorFlow Serving, and formats of other runtimes.

Imports: `data`, `model`, `samplers`. Begin with `saved_models.py`. A format is a function `(model, folder)` that
returns the written paths, and a line in `EXPORTS`.
"""

import functools

from keras_vae.export.runtimes import export_for
from keras_vae.export.saved_models import export, export_decoder

__all__ = ["EXPORTS", "export", "export_decoder"]

EXPORTS = {
    "saved_model": export,
    "litert": functools.partial(export_for, "litert"),
    "onnx": functools.partial(export_for, "onnx"),
    "openvino": functools.partial(export_for, "openvino"),
}
