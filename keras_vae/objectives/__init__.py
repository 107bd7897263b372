"""How the terms of the loss are weighed.

An objective is a frozen dataclass, derived from `Objective`, that is called as

    objective(model, step) -> {"loss": [batch], **terms}

in nats per image. `step` is one pass of a batch through the model, computed as far as it is asked for
(`keras_vae.autoencoder.Step`). What else an objective may say of itself stands in `Objective`.
"""

from keras_vae.objectives.autoencoding import PlainAutoencoder
from keras_vae.objectives.variational import BetaVAE, VariationalBound

OBJECTIVES = {
    "autoencoder": PlainAutoencoder,
    "beta_vae": BetaVAE,
    "vae": VariationalBound,
}
