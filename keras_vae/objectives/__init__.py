"""How the terms of the loss are weighed.

An objective is a frozen dataclass that is called as

    objective(model, step) -> {"loss": [batch], **terms}

in nats per image. `step` is one pass of a batch through the model, computed as far as it is asked for
(`keras_vae.autoencoder.Step`). `latent` is the kind of latent that the objective trains; `terms` are the
names, besides the loss, of what it reports; `effective_beta(dims)` is the weight of the rate against the
distortion once every schedule has run out, or None where there is no rate.
"""

from keras_vae.objectives.autoencoding import PlainAutoencoder
from keras_vae.objectives.variational import BetaVAE, VariationalBound

OBJECTIVES = {
    "autoencoder": PlainAutoencoder,
    "beta_vae": BetaVAE,
    "vae": VariationalBound,
}
