"""What the rules of the verdict ask for, by short names."""

from keras_vae.evaluation.metrics.estimate import SURE, Estimate, beyond_error
from keras_vae.evaluation.verdict.source import UNKNOWN
from keras_vae.evaluation.verdict.thresholds import THRESHOLDS
from keras_vae.model.likelihoods import LIKELIHOODS
from keras_vae.model.objectives import OBJECTIVES

STANDARD = ("standard", "N(0, I)", None)  # N(0, I): what results of older versions call it
RARE = 0.05  # share of the decoded codes in the region where samples count as off
LEAST_POWER = 0.55  # AUC of the planted control, where 0.6 is perfect
CODEBOOK = ("uniform_codes", "all entries alike")


class Facts:
    """The results, with what the rules ask for by short names; None where a thing was not computed.

    Args:
        results: As in results.json, without a verdict, after the repair.
        source: The `Source` of the model.
    """

    def __init__(self, results, source=UNKNOWN):
        self.results, self.source = results, source
        self.rate = self.get("rate_distortion", "rate")
        self.size = self.get("latent", "size")
        self.mismatch = self.get("prior_mismatch", "nats")
        self.mismatch_share = self.get("prior_mismatch", "fraction_of_rate")
        self.floor = self.distance("real")
        self.reconstruction = self.distance("reconstruction")
        self.prior = self.distance("prior")
        self.gap_ratio = self.estimate("generation_gap", "gap_ratio")
        self.blur_ratio = self.estimate("generation_gap", "blur_ratio") or self.blur_of_old()
        self.dead_zone = self.get("completeness", "dead_zone")
        self.dead = self.estimate("completeness", "dead_zone")
        self.repaired = self.estimate("generation_gap", "repaired_fraction")
        self.sampler = self.get("generation_gap", "best_sampler")
        # Of the prior's samples, against decoded posterior draws; None in results of older versions.
        self.auc = self.estimate("told_apart", "prior", "auc")
        self.off = self.estimate("told_apart", "prior", "off")
        if self.off is None or self.auc is None:
            self.off = self.auc = None
        self.recommended = self.get("latent", "recommended_size")
        self.directions = self.get("latent", "pc95_corrected") or self.get("latent", "pc95")
        self.spare_dimensions = self.size / self.directions if self.size and self.directions else None
        self.beta = self.get("rate_distortion", "effective_beta")
        self.objective = called(self.get("objective"), OBJECTIVES)
        # The bound itself, as this model can be trained on it.
        self.bound = "conditional_vae" if self.is_conditional else "vae"

    def get(self, *path):
        """Returns the value at `path`, None where there is none."""
        value = self.results
        for key in path:
            if not isinstance(value, dict):
                return None
            value = value.get(key)
        return value

    def estimate(self, *path):
        """Returns the value at `path` with its standard error, an `Estimate`, or None; older results have no error."""
        *parents, name = path
        value, error = self.get(*path), self.get(*parents, f"{name}_se")
        return None if value is None else Estimate(value, error or 0.0)

    def distance(self, rung):
        """Returns the Frechet distance of a rung from real images, an `Estimate`, or None."""
        return self.estimate("generation_gap", rung, "frechet")

    def blur_of_old(self):
        """Returns how many floors the reconstructions lie from real images, of results that do not say so; or None."""
        if self.reconstruction is None or self.floor is None or not self.floor.value:
            return None
        return Estimate(self.reconstruction.value / self.floor.value, 0.0)

    @property
    def prior_in_words(self):
        """What samples are drawn from, in a sentence."""
        return "N(0, I)" if self.get("prior") in STANDARD else f"the {self.get('prior')} prior"

    @property
    def objective_name(self):
        """What the objective is called in its registry, None where it is not known."""
        return next((name for name, kind in OBJECTIVES.items() if kind is self.objective), None)

    @property
    def likelihood_name(self):
        """What the decoder's likelihood is called in its registry, None where it is not known."""
        found = called(self.get("decoder_likelihood"), LIKELIHOODS)
        return next((name for name, kind in LIKELIHOODS.items() if kind is found), None)

    @property
    def has_codebook(self):
        """Whether codes are entries of a codebook."""
        return self.get("prior") in CODEBOOK

    @property
    def held_out(self):
        """Number of images that were held out from training."""
        return self.results["num_held_out"]

    @property
    def copying_samples(self):
        """What the samples are called that are looked at for copies: the best sampler's."""
        drawn = self.prior_in_words if self.sampler in (None, "prior") else f"the fitted {self.sampler}"
        return f"Samples of {drawn}"

    @property
    def elbo_gap_se(self):
        """The standard error of the gap between the ELBOs; of older results that of the test ELBO alone."""
        known = self.get("memorisation", "elbo_gap_se"), self.get("rate_distortion", "elbo_se")
        return next((error for error in known if error is not None), 0.0)

    @property
    def is_conditional(self):
        """Whether the networks are told an image's label."""
        return self.objective is not None and self.objective.conditional

    @property
    def is_map(self):
        """Whether the latent is a map of more places than one."""
        shape = self.get("latent_shape") or ()
        return len(shape) == 3 and shape[0] * shape[1] > 1

    @property
    def prior_is_poor(self):
        """Whether prior samples are nothing like decoded codes; of older results, far from images."""
        if self.auc is not None:
            return surely(self.auc, THRESHOLDS.told_hole) or surely(self.off, THRESHOLDS.dead)
        return surely(self.gap_ratio, THRESHOLDS.hole) or surely(self.dead, THRESHOLDS.dead)

    @property
    def prior_is_off(self):
        """Whether prior samples differ from decoded codes; of older results, lie farther from images."""
        if self.auc is not None:
            return surely(self.auc, THRESHOLDS.told_patchy)
        return noticeable(self.gap_ratio, THRESHOLDS.patchy)

    @property
    def is_farther(self):
        """Whether prior samples lie much farther from real images than reconstructions do.

        A classifier does not say so: it compares samples with decoded codes, which are blurred as much. It is asked only
        where distances are blind.
        """
        return self.prior_is_off if self.is_blind else noticeable(self.gap_ratio, THRESHOLDS.patchy)

    @property
    def is_thin(self):
        """Whether a noticeable share of the prior's samples looks like no decoded code; of older results, no image."""
        if self.off is None:
            return noticeable(self.dead, THRESHOLDS.thin)
        # By chance some 5% are off: the region holds as much of the decoded codes.
        return surely(self.auc, 0.5) and surely(self.off, RARE) and self.off.value > THRESHOLDS.thin

    @property
    def share_off(self):
        """The share of the prior's samples that look like no decoded code; of older results, like no image."""
        return self.dead_zone if self.off is None else self.off.value

    @property
    def is_blind(self):
        """Whether the features that distances are measured in cannot tell fog from real images here."""
        return bool(self.get("spaces", self.get("generation_gap", "features", "name"), "blind"))

    @property
    def has_passed(self):
        """Whether the features that distances are measured in were found to tell fog from real images."""
        return self.get("spaces", self.get("generation_gap", "features", "name"), "blind") is False

    @property
    def blur(self):
        """How surely the decoder's images are told from real ones at the coarsest resolution, an `Estimate`, or None.

        Of reconstructions and decoded posterior draws those that are told apart less: a decoder that was trained under
        the noise of many dimensions may do worse at the means.
        """
        for scale in ("_quarter", "_half"):
            known = [
                self.estimate("told_apart", f"{name}{scale}", "auc") for name in ("reconstruction", "decoded")
            ]
            if any(known):
                return min(filter(None, known))
        return None

    @property
    def is_blurred(self):
        """Whether reconstructions are poor: by their distance, or as a classifier sees them where distances are blind."""
        if self.is_blind:
            return surely(self.blur, THRESHOLDS.told_blurry)
        return surely(self.blur_ratio, THRESHOLDS.blurry)

    @property
    def best_auc(self):
        """How surely samples of the best sampler are told from decoded codes, an `Estimate`, or None.

        Where the encoder treats training images differently, from decoded codes of these: the sampler was fitted to them.
        """
        if self.sampler in (None, "prior"):
            return None
        of_training = self.estimate("told_apart", f"{self.sampler}_training", "auc")
        own = self.estimate("told_apart", self.sampler, "auc")
        return of_training or (own and (self.estimate("told_apart", "best_auc") or own))

    @property
    def is_repaired(self):
        """Whether samples of the best sampler cannot be told from decoded codes; None where it cannot be decided."""
        auc = self.best_auc
        if auc is None or (THRESHOLDS.told_repaired < auc.high and auc.low <= THRESHOLDS.told_repaired):
            return None
        return (True if self.has_power else None) if auc.high <= THRESHOLDS.told_repaired else False

    @property
    def is_better(self):
        """Whether the classifier prefers the best sampler to the prior, and not distances alone."""
        if None in (self.auc, self.best_auc):
            return False
        return self.get("told_apart", "repaired_share") is not None or above(
            self.auc.value - self.best_auc.value, SURE * max(self.auc.se, self.best_auc.se)
        )

    @property
    def has_power(self):
        """Whether the classifier found the planted control, beyond what it finds between equal sets.

        Held-out images of two splits may differ: MNIST's test images have other writers than its training images.
        """
        control, null = (self.estimate("told_apart", name, "auc") for name in ("planted", "posterior"))
        return None not in (control, null) and control.value > LEAST_POWER and beyond_error(control, null)

    @property
    def mismatches(self):
        """Whether the aggregated posterior is far from the prior in nats, and in nats of its rate."""
        return (
            above(self.mismatch, THRESHOLDS.mismatch),
            above(self.mismatch_share, THRESHOLDS.mismatch_share),
        )

    @property
    def is_repairable(self):
        """Whether the prior is missed by nats, and a density that is fitted to the codes samples better than it."""
        passes = self.auc is not None and self.auc.high <= THRESHOLDS.told_repaired
        return all(self.mismatches) and self.sampler not in (None, "prior") and not passes

    @property
    def fits_a_smaller_latent(self):
        """Whether the codes would fit into a smaller latent, a vector. The positions of a codebook hold a whole vector."""
        known = self.recommended is not None and self.size is not None
        return known and self.recommended < self.size and not self.has_codebook


def called(name, registry):
    """Returns the class of a component, None where it is not known; results of older versions name the class."""
    kinds = {kind.__name__: kind for kind in registry.values()} | dict(registry)
    return kinds.get(name)


def above(value, threshold):
    """Returns whether there is a value and it is above `threshold`."""
    return value is not None and value > threshold


def surely(estimate, threshold):
    """Returns whether there is an `Estimate`, and it is above `threshold` by more than its error."""
    return estimate is not None and estimate.beyond(threshold)


def noticeable(estimate, threshold):
    """Returns whether there is a difference beyond its error, an `Estimate`, and it is as large as `threshold`.

    Weaker than `surely`: that there is a difference is sure, that it is larger than the threshold is not.
    """
    return surely(estimate, 0.0) and estimate.value > threshold


def below(value, threshold):
    """Returns whether there is a value and it is below `threshold`."""
    return value is not None and value < threshold
