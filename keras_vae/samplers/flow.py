"""A normalizing flow over the codes, fitted after training."""

import math
from dataclasses import dataclass

import numpy as np

from keras_vae.samplers.learned import Learned, Learnt, flatten
from keras_vae.samplers.subspace import whole

ROWS = 4096  # codes whose density is taken at once


@dataclass(frozen=True, eq=False)
class FlowSampler(Learned):
    """A flow (`keras_vae.layers.flows`) of the codes' coordinates, fitted by maximum likelihood to draws from the posteriors.

    Its density is exact, also where the latent is larger than `rank`. Drawing from RealNVP takes two
    passes a step, from a MAF one a dimension and step; on curved codes of 32 dimensions both fit as well.

    Attributes:
        kind: "realnvp" (Dinh et al. 2017) or "maf" (Papamakarios et al. 2017).
        depth: Steps of the flow.
    """

    kind: str = "realnvp"
    depth: int = 5

    @classmethod
    def of_flow(cls, flow, latent_shape):
        """Returns the density of `flow`, a trained `keras_vae.layers.flows.Flow` on flat codes, as it is.

        Raises:
            ValueError: The latent has another number of dimensions, or the flow takes a context.
        """
        settings, size = flow.settings, math.prod(latent_shape)
        if settings["dim"] != size or settings["context_dim"]:
            raise ValueError(
                f"the flow is of {settings['dim']} dimensions with a context of {settings['context_dim']}:"
                f" it must be of the latent's {size}, and take no context"
            )
        kept = {name: settings[name] for name in ("kind", "depth", "width", "seed")}
        return cls(latent_shape, rank=size, updates=0, **kept, density=Learnt(whole(size), flatten(flow)))

    def network(self, dim):
        from keras_vae.layers import flows

        return flows.Flow(dim, self.kind, self.depth, self.width, seed=self.seed)

    def loss(self, network, rows, seed):
        del seed
        return -network.log_prob(rows)

    def draw(self, part, normal):
        return part.inverse(normal)

    def log_prob(self, codes):
        """Returns the log density of `codes`, `[n, *latent]`, `[n]`, in nats, float64; exact but for float32 sums."""
        subspace = self.fitted().subspace
        coordinates, squared = subspace.coordinates(np.asarray(codes).reshape(-1, len(subspace.center)))
        within = np.zeros(len(coordinates))
        for start in range(0, len(coordinates), ROWS):
            rows = slice(start, start + ROWS)
            with self.constant_weights():
                within[rows] = self.part.log_prob(coordinates[rows].astype("float32"))
        return within + subspace.log_density_around(squared)
