"""Priors: the densities of codes that the rate is measured against.

A prior is a frozen dataclass whose fields are its settings. `of(model)` returns it with its weights, which are trained
with the model. Then it has these methods:

    log_prob(codes)      log p(codes), `[batch]`, in nats
    adapt(images)        initialises its weights from training images, if that helps
    draw(count, seed)    codes, `[count, *latent]`; `seed` as in `keras.random`
    sampler()            the same density as a fitted sampler (`keras_vae.samplers`), for export

`new_layer(image_shape, latent_shape)` returns the layer with the weights. `is_standard` tells whether the prior is
N(0, I), for which the rate of a Gaussian posterior has a closed form.
"""

from keras_vae.model.priors.flow import FlowPrior
from keras_vae.model.priors.mixture import MixturePrior, VampPrior
from keras_vae.model.priors.prior import Prior
from keras_vae.model.priors.standard import StandardNormal

PRIORS: dict[str, type[Prior]] = {
    "standard": StandardNormal,
    "mixture": MixturePrior,
    "vamp": VampPrior,
    "flow": FlowPrior,
}
