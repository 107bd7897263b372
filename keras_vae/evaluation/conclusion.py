"""The last step of an evaluation: measurements and the repair become results with a verdict."""

from keras_vae.evaluation.verdict import judge
from keras_vae.evaluation.verdict.source import UNKNOWN


def conclude(measured, repaired, source=UNKNOWN):
    """Returns the results, as in results.json.

    Args:
        measured: A `Measured`.
        repaired: The `Repair`.
        source: The `Source` of the model, for the commands that the verdict prints.
    """
    gap = measured.results["generation_gap"]
    results = {
        **measured.results,
        "samplers": {
            name: {
                "file": repaired.files.get(name),
                "settings": sampler.settings,
                "frechet": gap[name]["frechet"],
                **({"training": sampler.training} if hasattr(sampler, "training") else {}),
            }
            for name, sampler in measured.samplers.items()
        },
        "repair": {
            "outcome": repaired.outcome,
            "sampler": repaired.sampler,
            "version": repaired.version,
        },
        "exported": repaired.version,
        "reasons": {**measured.results["reasons"], **repaired.reasons},
    }
    return {**results, "verdict": judge(results, source)}
