"""Measures the scores of `keras_vae.evaluation.scores`."""

from keras_vae.evaluation.scores import SCORES
from keras_vae.evaluation.sections.found import Found


def measure_scores(evidence):
    """Measures every score of `SCORES`. If a score raises ValueError, it is null and the message is the reason."""
    entries, reasons = {}, {}
    for name, score in SCORES.items():
        try:
            found, reason = score.measure(evidence), "it cannot be measured on these images"
        except ValueError as error:
            found, reason = None, str(error)
        entries[name] = {
            "title": score.title,
            "description": score.description,
            "unit": score.unit,
            "healthy": score.healthy,
            "value": found and float(found.value),
            "se": found and float(found.se),
        }
        if found is None:
            reasons[f"scores.entries.{name}"] = reason
    return Found({"entries": entries}, reasons)
