"""Objectives: the loss and the weights of its terms.

An objective is a frozen dataclass, derived from `Objective`, that is called as

    objective(model, step) -> {"loss": [batch], **terms}

in nats per image. `step` is one pass of a batch through the model, computed lazily (`keras_vae.model.step.Step`).
`Objective` documents the attributes that an objective may set.
"""

from keras_vae.model.objectives.adversarial import AdversarialAutoencoder, FactorVAE
from keras_vae.model.objectives.autoencoding import DenoisingAutoencoder, PlainAutoencoder
from keras_vae.model.objectives.capacity import Capacity, FreeBits
from keras_vae.model.objectives.conditional import ConditionalVAE
from keras_vae.model.objectives.discrepancy import InfoVAE, WassersteinMMD
from keras_vae.model.objectives.flow_posterior import InverseAutoregressiveFlow, PlanarFlow
from keras_vae.model.objectives.importance_weighted import (
    CombinedImportanceWeighted,
    ImportanceWeighted,
    MultipleImportanceWeighted,
    PartiallyImportanceWeighted,
)
from keras_vae.model.objectives.moments import CodesCovariance, MeansCovariance
from keras_vae.model.objectives.objective import Objective
from keras_vae.model.objectives.quantized import VectorQuantized
from keras_vae.model.objectives.regularized import (
    RegularizedGradientPenalty,
    RegularizedL2,
    RegularizedSpectral,
)
from keras_vae.model.objectives.total_correlation import BetaTCVAE
from keras_vae.model.objectives.variational import BetaVAE, VariationalBound

OBJECTIVES: dict[str, type[Objective]] = {
    "adversarial_autoencoder": AdversarialAutoencoder,
    "autoencoder": PlainAutoencoder,
    "beta_tcvae": BetaTCVAE,
    "beta_vae": BetaVAE,
    "capacity": Capacity,
    "ciwae": CombinedImportanceWeighted,
    "conditional_vae": ConditionalVAE,
    "denoising": DenoisingAutoencoder,
    "dip_vae_i": MeansCovariance,
    "dip_vae_ii": CodesCovariance,
    "factor_vae": FactorVAE,
    "free_bits": FreeBits,
    "iaf": InverseAutoregressiveFlow,
    "info_vae": InfoVAE,
    "iwae": ImportanceWeighted,
    "miwae": MultipleImportanceWeighted,
    "piwae": PartiallyImportanceWeighted,
    "planar_flow": PlanarFlow,
    "rae_gradient_penalty": RegularizedGradientPenalty,
    "rae_l2": RegularizedL2,
    "rae_spectral": RegularizedSpectral,
    "vae": VariationalBound,
    "vq_vae": VectorQuantized,
    "wae_mmd": WassersteinMMD,
}
