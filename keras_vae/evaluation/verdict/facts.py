"""The quantities that the rules of the verdict use, under short names."""

from keras_vae.evaluation.metrics.estimate import SURE, Estimate, beyond_error
from keras_vae.evaluation.metrics.two_sample import removed_share
from keras_vae.evaluation.verdict.source import UNKNOWN
from keras_vae.evaluation.verdict.thresholds import THRESHOLDS
from keras_vae.model.likelihoods import LIKELIHOODS
from keras_vae.model.objectives import OBJECTIVES

STANDARD = ("standard", "N(0, I)", None)  # older results have "N(0, I)"
RARE = 0.05  # share of the decoded codes that lie where samples count as off
LEAST_POWER = 0.55  # AUC of the planted control; 0.6 is perfect
CODEBOOK = ("uniform_codes", "all entries alike")  # the latter in older results


class Facts:
    """The results under the short names that the rules use; None for what was not computed.

    Args:
        results: As in results.json, after the repair and without a verdict.
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
        # The prior's samples against decoded posterior draws; None in older results.
        self.auc = self.estimate("told_apart", "prior", "auc")
        self.off = self.estimate("told_apart", "prior", "off")
        if self.off is None or self.auc is None:
            self.off = self.auc = None
        self.recommended = self.get("latent", "recommended_size")
        self.directions = self.get("latent", "pc95_corrected") or self.get("latent", "pc95")
        self.spare_dimensions = self.size / self.directions if self.size and self.directions else None
        self.beta = self.get("rate_distortion", "effective_beta")
        self.objective = called(self.get("objective"), OBJECTIVES)
        # The objective that trains this model on the ELBO itself.
        self.bound = "conditional_vae" if self.is_conditional else "vae"

    def get(self, *path):
        """Returns the value at `path`, or None."""
        value = self.results
        for key in path:
            if not isinstance(value, dict):
                return None
            value = value.get(key)
        return value

    def estimate(self, *path):
        """Returns the value at `path` as an `Estimate`, or None. The error is 0 in older results, which have none."""
        *parents, name = path
        value, error = self.get(*path), self.get(*parents, f"{name}_se")
        return None if value is None else Estimate(value, error or 0.0)

    def distance(self, rung):
        """Returns the Fréchet distance of a rung from real images, an `Estimate` or None."""
        return self.estimate("generation_gap", rung, "frechet")

    def blur_of_old(self):
        """Returns the reconstructions' distance from real images in floors, or None; for older results without this ratio."""
        if self.reconstruction is None or self.floor is None or not self.floor.value:
            return None
        return Estimate(self.reconstruction.value / self.floor.value, 0.0)

    @property
    def prior_in_words(self):
        """The prior's name as used in sentences."""
        return "N(0, I)" if self.get("prior") in STANDARD else f"the {self.get('prior')} prior"

    @property
    def objective_name(self):
        """The objective's name in its registry, or None if unknown."""
        return next((name for name, kind in OBJECTIVES.items() if kind is self.objective), None)

    @property
    def likelihood_name(self):
        """The decoder likelihood's name in its registry, or None if unknown."""
        found = called(self.get("decoder_likelihood"), LIKELIHOODS)
        return next((name for name, kind in LIKELIHOODS.items() if kind is found), None)

    @property
    def has_codebook(self):
        """Whether codes are entries of a codebook."""
        return self.get("prior") in CODEBOOK

    @property
    def held_out(self):
        """The number of held-out images."""
        return self.results["num_held_out"]

    @property
    def copying_samples(self):
        """The name of the samples that are searched for copies: those of the best sampler."""
        drawn = self.prior_in_words if self.sampler in (None, "prior") else f"the fitted {self.sampler}"
        return f"Samples of {drawn}"

    @property
    def elbo_gap_se(self):
        """The standard error of the gap between the ELBOs; in older results, that of the test ELBO alone."""
        known = self.get("memorisation", "elbo_gap_se"), self.get("rate_distortion", "elbo_se")
        return next((error for error in known if error is not None), 0.0)

    @property
    def is_conditional(self):
        """Whether the model is conditional on labels."""
        return self.objective is not None and self.objective.conditional

    @property
    def is_map(self):
        """Whether the latent is a map with more than one position."""
        shape = self.get("latent_shape") or ()
        return len(shape) == 3 and shape[0] * shape[1] > 1

    @property
    def prior_is_poor(self):
        """Whether samples of the prior do not resemble decoded codes; in older results, whether they are far from images."""
        if self.auc is not None:
            return surely(self.auc, THRESHOLDS.told_hole) or surely(self.off, THRESHOLDS.dead)
        return surely(self.gap_ratio, THRESHOLDS.hole) or surely(self.dead, THRESHOLDS.dead)

    @property
    def prior_is_off(self):
        """Whether samples of the prior differ from decoded codes; in older results, whether they are farther from images."""
        if self.auc is not None:
            return surely(self.auc, THRESHOLDS.told_patchy)
        return noticeable(self.gap_ratio, THRESHOLDS.patchy)

    @property
    def is_farther(self):
        """Whether samples of the prior are much farther from real images than reconstructions are.

        The classifier cannot show this, as it compares samples with decoded codes, which are equally blurred. It is used
        only if distances are blind.
        """
        return self.prior_is_off if self.is_blind else noticeable(self.gap_ratio, THRESHOLDS.patchy)

    @property
    def is_thin(self):
        """Whether a noticeable share of the prior's samples resembles no decoded code; in older results, no image."""
        if self.off is None:
            return noticeable(self.dead, THRESHOLDS.thin)
        # About 5% are off by chance, as this share of the decoded codes is.
        return surely(self.auc, 0.5) and surely(self.off, RARE) and self.off.value > THRESHOLDS.thin

    @property
    def share_off(self):
        """The share of the prior's samples that resemble no decoded code; in older results, no image."""
        return self.dead_zone if self.off is None else self.off.value

    @property
    def is_blind(self):
        """Whether the features of the distances cannot tell fog from real images here."""
        return bool(self.get("spaces", self.get("generation_gap", "features", "name"), "blind"))

    @property
    def has_passed(self):
        """Whether the features of the distances were found to tell fog from real images."""
        return self.get("spaces", self.get("generation_gap", "features", "name"), "blind") is False

    @property
    def blur(self):
        """The AUC of the decoder's images against real ones at the coarsest resolution, an `Estimate` or None.

        The lower of the AUCs of reconstructions and of decoded posterior draws: a decoder that was trained with the noise
        of many dimensions may do worse at the means.
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
        """Whether reconstructions are poor: by their distance, or by a classifier if distances are blind."""
        if self.is_blind:
            return surely(self.blur, THRESHOLDS.told_blurry)
        return surely(self.blur_ratio, THRESHOLDS.blurry)

    @property
    def best_auc(self):
        """The AUC of the best sampler's samples against decoded codes, an `Estimate` or None.

        If the encoder treats training images differently, they are compared with decoded codes of training images, which
        the sampler was fitted to.
        """
        if self.sampler in (None, "prior"):
            return None
        own = self.estimate("told_apart", self.sampler, "auc")
        return self.best_of_training or (own and (self.estimate("told_apart", "best_auc") or own))

    @property
    def best_of_training(self):
        """The AUC of the best sampler's samples against decoded codes of training images, an `Estimate` or None."""
        return self.estimate("told_apart", f"{self.sampler}_training", "auc")

    @property
    def auc_beside_best(self):
        """The prior's AUC against the decoded codes that `best_auc` was measured against."""
        return (self.best_of_training and self.estimate("told_apart", "prior_training", "auc")) or self.auc

    @property
    def is_repaired(self):
        """Whether a classifier cannot distinguish the best sampler's samples from decoded codes; None if undecided."""
        auc = self.best_auc
        if auc is None or (THRESHOLDS.told_repaired < auc.high and auc.low <= THRESHOLDS.told_repaired):
            return None
        return (True if self.has_power else None) if auc.high <= THRESHOLDS.told_repaired else False

    @property
    def is_better(self):
        """Whether the best sampler beats the prior by the classifier, not by distances alone."""
        prior, best = self.auc_beside_best, self.best_auc
        if None in (prior, best):
            return False
        return self.get("told_apart", "repaired_share") is not None or above(
            prior.value - best.value, SURE * max(prior.se, best.se)
        )

    @property
    def has_power(self):
        """Whether the classifier detects the planted control better than it tells equal sets apart.

        Held-out images of two splits may differ: MNIST's test images are by other writers than its training images.
        """
        control, null = (self.estimate("told_apart", name, "auc") for name in ("planted", "posterior"))
        return None not in (control, null) and control.value > LEAST_POWER and beyond_error(control, null)

    @property
    def mismatches(self):
        """Whether the aggregated posterior is surely far from the prior, in nats and as a share of the rate."""
        return (
            surely(self.estimate("prior_mismatch", "nats"), THRESHOLDS.mismatch),
            surely(self.estimate("prior_mismatch", "fraction_of_rate"), THRESHOLDS.mismatch_share),
        )

    @property
    def explained(self):
        """How much of the prior's separation from decoded codes a Gaussian with the codes' mean and covariance removes.

        A share, an `Estimate`; None if the Gaussian was not measured or the share cannot be computed.
        """
        fitted = self.estimate("told_apart", "gaussian", "auc")
        return None if None in (self.auc, fitted) else removed_share(fitted, self.auc)

    @property
    def is_beyond_mean_and_covariance(self):
        """Whether a Gaussian with the mean and covariance of the codes surely removes less than half of the separation.

        Then mean and covariance are not what is wrong with most of the samples, however far they are from the prior's.
        """
        share = self.explained
        return share is not None and Estimate(-share.value, share.se).beyond(-THRESHOLDS.explained)

    @property
    def has_uncertain_cause(self):
        """Whether the mismatch in nats named the cause because the share that a Gaussian removes is not surely half or more."""
        return self.explained is not None and not surely(self.explained, THRESHOLDS.explained)

    @property
    def is_repairable(self):
        """Whether the codes miss the prior by enough nats and a density fitted to them samples better."""
        passes = self.auc is not None and self.auc.high <= THRESHOLDS.told_repaired
        return all(self.mismatches) and self.sampler not in (None, "prior") and not passes

    @property
    def fits_a_smaller_latent(self):
        """Whether a smaller vector is advisable: the codes fit into one, and reconstructions are not blurred already.

        False with a codebook, each position of which holds a whole vector.
        """
        known = self.recommended is not None and self.size is not None and not self.has_codebook
        return known and self.recommended < self.size and not self.is_blurred

    @property
    def fills_its_vector(self):
        """Whether the latent is a vector whose codes would not fit into a smaller one."""
        known = None not in (self.recommended, self.size) and not self.has_codebook
        return known and len(self.get("latent_shape") or ()) == 1 and self.recommended >= self.size


def called(name, registry):
    """Returns a component's class, or None if unknown. Older results contain the name of the class."""
    kinds = {kind.__name__: kind for kind in registry.values()} | dict(registry)
    return kinds.get(name)


def above(value, threshold):
    """Returns whether `value` is not None and above `threshold`."""
    return value is not None and value > threshold


def surely(estimate, threshold):
    """Returns whether an `Estimate` is not None and above `threshold` by more than its error."""
    return estimate is not None and estimate.beyond(threshold)


def noticeable(estimate, threshold):
    """Returns whether an `Estimate` is surely above 0 and its value is above `threshold`.

    Weaker than `surely`: the number need not exceed the threshold by more than its error.
    """
    return surely(estimate, 0.0) and estimate.value > threshold


def below(value, threshold):
    """Returns whether `value` is not None and below `threshold`."""
    return value is not None and value < threshold
