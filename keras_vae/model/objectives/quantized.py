"""The VQ-VAE, an autoencoder with a codebook."""

from dataclasses import dataclass, field
from typing import ClassVar

from keras_vae.model.objectives.objective import Objective
from keras_vae.model.posteriors import Codebook


@dataclass(frozen=True)
class VectorQuantized(Objective):
    """VQ-VAE (van den Oord et al. 2017, equation 3, with the codebook of its appendix A.1).

    The loss is distortion + commitment |z_e - sg(e)|^2, and + |sg(z_e) - e|^2 if the codebook is trained by gradients;
    sg stops gradients. Squares are summed over an image, like the distortion. The paper averages them over the
    positions, and found no difference between commitments from 0.1 to 2. The posterior is one entry at each position,
    so the rate is constant: positions * log(codebook) nats for the uniform prior that `sample` draws from. Samples from
    that prior are not realistic; for generation, fit a prior to the codes (`keras_vae.samplers.PixelCNN`).

    Unused entries are moved to outputs of the encoder (Dhariwal et al. 2020, section 3.1).
    """

    formula: ClassVar = "D + commitment |z - sg(e)|^2, codebook by moving averages"
    paper: ClassVar = "van den Oord et al. 2017"
    good_for: ClassVar = "sharp reconstructions; discrete codes for a strong prior"

    terms: ClassVar[tuple[str, ...]] = ("distortion", "rate", "commitment", "perplexity", "dead_codes")

    codebook: int = field(default=512, metadata={"help": "number of entries in the codebook"})
    commitment: float = field(
        default=0.25, metadata={"help": "weight of the squared distance from the entries"}
    )
    ema: float = field(default=0.99, metadata={"help": "decay of the entries' moving averages; 0: gradients"})
    revive: float = field(
        default=0.1, metadata={"help": "move entries below this share of uniform use; 0: never"}
    )

    def __post_init__(self):
        if self.codebook < 2:
            raise ValueError(
                f"objective.codebook is {self.codebook}: it must have at least 2 entries (try 512)"
            )
        if not self.commitment > 0:
            raise ValueError(
                f"objective.commitment is {self.commitment}: it must be above 0, or the encoder's output grows without"
                " bound (try 0.25)"
            )
        for name in ("ema", "revive"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"objective.{name} is {getattr(self, name)}: expected 0 or more and below 1")

    @property
    def latent(self):
        """The codebook."""
        return Codebook(self.codebook, self.ema, self.revive)

    def __call__(self, model, step):
        """Returns the loss and its terms, with those on the use of the codebook in the batch (`Codebook.draw`)."""
        terms = step.draw.terms
        loss = step.distortion + self.commitment * terms["commitment"]
        if not self.ema:
            loss = loss + terms["alignment"]
        reported = {name: terms[name] for name in ("commitment", "perplexity", "dead_codes")}
        return {"loss": loss, "distortion": step.distortion, "rate": step.rate, **reported}
