"""Where codes come from before an image is seen: the densities that the rate is measured against.

A prior is a frozen dataclass whose fields are its sizes; what it learns, trained with the model, stands in a
layer. Its methods have the same signature in all of them:

    layer(image_shape, latent_shape)    the layer that holds its weights, or None where it has none
    log_prob(model, codes)              log p(codes), `[batch]`, in nats
    adapt(model, images)                starts what it learns from training images, where that helps
    draw(model, count, seed)            codes, `[count, *latent]`; `seed` as in `keras.random`
    sampler(model)                      the same density as a fitted sampler (`keras_vae.samplers`), for export

`model.prior_layer` is the layer; a prior may also use the model's encoder (VampPrior). `is_standard` says
whether it is N(0, I), for which a Gaussian posterior has its rate in closed form.
"""

from keras_vae.model.priors.flow import FlowPrior
from keras_vae.model.priors.mixture import MixturePrior, VampPrior
from keras_vae.model.priors.standard import StandardNormal

PRIORS = {
    "standard": StandardNormal,
    "mixture": MixturePrior,
    "vamp": VampPrior,
    "flow": FlowPrior,
}
