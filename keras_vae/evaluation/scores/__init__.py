"""Single numbers about a model, each a function of the `Evidence` in a file of its own.

A score needs no type in `keras_vae.evaluation.results`: its title, meaning, unit and healthy range are in its `Score`, and
from there in results.json and in the report. One line in `SCORES` adds it.
"""

from keras_vae.evaluation.scores.score import Score
from keras_vae.evaluation.scores.sharpness import measure_sharpness

__all__ = ["SCORES", "Score"]

SCORES = {
    "sharpness": Score(
        "Sharpness",
        "Mean difference between neighbouring pixels of the reconstructions, divided by that of the images. A blurry"
        " decoder is far below 1.",
        measure_sharpness,
        healthy="0.8 to 1.2",
    ),
}
