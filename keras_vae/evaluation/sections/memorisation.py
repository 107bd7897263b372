"""Whether samples are copies."""

import numpy as np

from keras_vae.evaluation.metrics import memorisation
from keras_vae.evaluation.sections.generation_gap import repaired

MOST_TRAINING = 60_000  # training images that samples are looked for among
MOST_COMPARED = 1000  # images a rung that are looked for there
ROUNDING = 1 / 255**2 / 12  # squared error of rounding to 8 bits: below it there is no error


def measure_memorisation(study):
    """Whether held-out images fare worse than training images, and whether samples are training images.

    A sampler that copies training images is no repair: the best of the others takes its place in the ladder.
    """
    known, rates = study.results["reconstruction"], study.results["rate_distortion"]
    errors = {name: max(known[name]["mse"], ROUNDING) for name in ("train", "test")}
    section = {"mse_ratio": errors["test"] / errors["train"], "elbo_gap": None, "elbo_gap_fraction": None}
    if rates["elbo"] is None:
        reason = study.reasons["rate_distortion.elbo"]
        study.explain("memorisation", ("elbo_gap", "elbo_gap_fraction"), reason)
    else:
        section["elbo_gap"] = rates["train_elbo"] - rates["elbo"]
        section["elbo_gap_fraction"] = section["elbo_gap"] / max(rates["rate"], 1e-9)
    training = study.see(study.dataset.train.take(MOST_TRAINING)).looks
    looks = {name: seen.looks[:MOST_COMPARED] for name, seen in study.seen.items()}
    test_distances = memorisation.nearest_training_images(looks["real"], training)[1][:, 0]
    scores = {
        name: memorisation.copying_scores(look, test_distances, training) for name, look in looks.items()
    }
    section["n"] = len(looks["real"])
    section["rungs"] = {
        name: {"z": score.z, "authenticity": score.authenticity} for name, score in scores.items()
    }
    section["real_authenticity"] = scores["real"].authenticity
    section["reconstruction_z"] = scores["reconstruction"].z
    best, section["copies"] = choose_sampler(study, scores)
    indices, _ = memorisation.nearest_training_images(looks[best][:8], training, min(3, len(training)))
    nearest = [np.concatenate([study.dataset.train.images(i, i + 1) for i in row]) for row in indices]
    study.pictures["neighbours"] = {
        "samples": study.rungs[best][:8],
        "nearest": np.stack(nearest),
        "sampler": best,
    }
    return section


def choose_sampler(study, scores):
    """Puts the best sampler that does not copy into the ladder; returns its name, and whether it copies, or None."""
    gap, copying = study.results["generation_gap"], []
    while True:
        gap.update(repaired(study, gap, copying))
        best = gap["best_sampler"]
        flag, sentence = memorisation.copies(
            scores[best], scores["reconstruction"], scores["real"], gap[best]["density"]
        )
        if flag is None:
            study.reasons["memorisation.copies"] = sentence
        if not flag or best == "prior":
            return best, flag
        study.reasons[f"samplers.{best}"] = f"not used: {sentence}"
        copying.append(best)
