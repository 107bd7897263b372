"""What takes minutes, and is asked for by `--extended`.

Each measurement is a function of the `Study` that returns a dict with `n`, or None and gives a reason; `MEASUREMENTS`
has them in the order of the report.
"""

import time

from keras_vae.evaluation.sections.extended.annealing import measure_annealed
from keras_vae.evaluation.sections.extended.bounds import measure_amortisation, measure_importance
from keras_vae.evaluation.sections.extended.by_n import frechet_by_n, kid_by_n
from keras_vae.evaluation.sections.extended.cells import cell_z
from keras_vae.evaluation.sections.extended.codes import mutual_information, prior_classifier
from keras_vae.evaluation.sections.extended.decoder import path_length, spectral_norm
from keras_vae.evaluation.sections.extended.images import class_survival, swapped_quadrants

MEASUREMENTS = {
    "frechet_by_n": frechet_by_n,
    "kid_by_n": kid_by_n,
    "cell_z": cell_z,
    "class_survival": class_survival,
    "prior_classifier": prior_classifier,
    "mutual_information": mutual_information,
    "spectral_norm": spectral_norm,
    "path_length": path_length,
    "swapped_quadrants": swapped_quadrants,
    "importance": measure_importance,
    "amortisation_gap": measure_amortisation,
    "annealed": measure_annealed,
}


def measure_extended(study):
    """Takes the measurements, and the time of each."""
    section = {"n": len(study.reference)}
    for name, measure in MEASUREMENTS.items():
        begun = time.perf_counter()
        section[name] = measure(study)
        if section[name] is not None:
            section[name]["seconds"] = time.perf_counter() - begun
    return section
