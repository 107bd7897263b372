"""The types of the results, from which their JSON schema, the report's tables and its glossary are generated.

Every entry of `results.json` is a field of a model here. Its title, meaning, unit and healthy range are written only in
that field (`measure`).
"""

from keras_vae.evaluation.results.codes import LatentResults, PriorMismatchResults
from keras_vae.evaluation.results.extended import ExtendedResults
from keras_vae.evaluation.results.fields import Section, Whole, count, measure
from keras_vae.evaluation.results.forecast import ForecastResults
from keras_vae.evaluation.results.ladder import CompletenessResults, GenerationGapResults, ToldApartResults
from keras_vae.evaluation.results.paths import ContinuityResults, InterpolationResults
from keras_vae.evaluation.results.reconstruction import (
    RangesResults,
    RateDistortionResults,
    ReconstructionResults,
)
from keras_vae.evaluation.results.scores import (
    DisentanglementResults,
    LikelihoodResults,
    MemorisationResults,
    ScoresResults,
)
from keras_vae.evaluation.results.spaces import SpacesResults
from keras_vae.evaluation.results.verdict import CostResults, RepairResults, SamplerResults, VerdictResults

__all__ = ["Results"]


class Results(Section, title="keras_vae results.json"):
    """What evaluate.py measured of one run.

    x-unit is the unit (share: from 0 to 1, shown in per cent), x-healthy the range of a healthy model
    (docs/thresholds.md).
    """

    schema_version: Whole = measure(
        "Schema version",
        "Version of this format. It is raised if a name changes or is removed, not if one is added.",
        const=1,
    )
    run: str = measure("Run", "Name of the run, or of the models that were given.")
    dataset: str | None = measure("Dataset", "The images on which the model was evaluated.")
    seed: Whole | None = measure(
        "Seed", "Random seed of the evaluation: the same seed gives the same report."
    )
    created: str | None = measure("Created", "When the evaluation ended, in ISO 8601.")
    image_shape: list[Whole | None] | None = measure(
        "Image shape", "Height, width and channels of an image.", "pixels", minItems=3, maxItems=3
    )
    latent_shape: list[Whole | None] | None = measure(
        "Latent shape",
        "Shape of a code: one number for a vector, three for a spatial latent (height, width, channels).",
        "dims",
        minItems=1,
    )
    objective: str | None = measure(
        "Objective",
        "Registry name of the objective that was minimised in training. Null for a model that was not trained with"
        " keras_vae.",
    )
    prior: str | None = measure(
        "Prior",
        "Name of the prior (--prior): the distribution from which samples are drawn, and with respect to which the rate"
        " is measured.",
        optional=True,
    )
    decoder_likelihood: str | None = measure(
        "Decoder likelihood",
        "The distribution that the decoder's output describes. Null for a model that was not trained with keras_vae.",
        optional=True,
    )
    ranges: RangesResults | None = None
    num_train: Whole | None = count(
        "images", "Training images in the dataset (before augmentation).", "Training images"
    )
    num_test: Whole | None = count("images", "Test images in the dataset.", "Test images")
    num_held_out: Whole | None = measure(
        "Held-out images",
        "Images of any split that training did not use. Below 200, most numbers are too uncertain for a verdict.",
        "images",
        "at least 200",
        optional=True,
        minimum=0,
    )
    keras_vae: str | None = measure("Version", "Version of keras_vae that made the evaluation.")
    reconstruction: ReconstructionResults | None
    rate_distortion: RateDistortionResults | None
    latent: LatentResults | None
    prior_mismatch: PriorMismatchResults | None
    forecast: ForecastResults | None = None
    generation_gap: GenerationGapResults | None
    told_apart: ToldApartResults | None = None
    spaces: SpacesResults | None = None
    completeness: CompletenessResults | None
    continuity: ContinuityResults | None
    interpolation: InterpolationResults | None
    memorisation: MemorisationResults | None
    likelihood: LikelihoodResults | None
    disentanglement: DisentanglementResults | None
    scores: ScoresResults | None = None
    extended: ExtendedResults | None = None
    verdict: VerdictResults
    samplers: dict[str, SamplerResults] | None = measure(
        "Samplers", "The samplers that were fitted, by name."
    )
    repair: RepairResults | None = None
    exported: str | None = measure(
        "Exported to",
        "The new version of the decoder whose `sample` signature draws from the best sampler. Null if no sampler was"
        " better than the existing version.",
    )
    notes: list[str] | None = measure(
        "Notes", "What a reader should know about how the evaluation was made, in sentences.", optional=True
    )
    cost: CostResults | None
    reasons: dict[str, str] = measure(
        "Reasons",
        "Why an entry is null: a sentence for its dotted path (prior_mismatch.nats). The path of a section applies to"
        " all entries in it.",
    )
