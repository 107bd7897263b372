"""SavedModels for TensorFlow Serving: `saved_models.export(model, folder)`.

Imports: `data`, `model`, `samplers`. Begin with `saved_models.py`.
"""

from keras_vae.export.saved_models import export, export_decoder

__all__ = ["export", "export_decoder"]
