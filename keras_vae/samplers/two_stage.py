"""A second autoencoder on the codes of the first, fitted after training (Dai and Wipf 2019)."""

from dataclasses import dataclass
from typing import ClassVar

from keras_vae.runtime.lazy import ops
from keras_vae.samplers.learned import Learned


@dataclass(frozen=True, eq=False)
class TwoStage(Learned):
    """A small variational autoencoder of the codes, with a latent of their size (Dai and Wipf 2019, section 4).

    It draws u ~ N(0, I) and z ~ N(f(u), gamma^2 I), as in the authors' code. The loss of the second autoencoder on
    z ~ q(z|x) is the full negative evidence lower bound with a learned gamma and

        -log p(z|u) = |z - f(u)|^2 / (2 gamma^2) + d log gamma + d/2 log(2 pi)

    Many reimplementations drop the middle term, and then gamma grows without limit. Here z is standardised first. The
    authors' networks have three layers of 1,024 units.
    """

    NOISE: ClassVar = 2

    width: int = 256

    def network(self, dim):
        from keras_vae.samplers.second_stage import SecondStage

        return SecondStage(dim, self.width, self.seed)

    def drawing_part(self, network):
        return network.decoder

    def loss(self, network, rows, seed):
        return network.loss(rows, seed)

    def draw(self, part, normal):
        dim = normal.shape[1] // 2
        mean, log_gamma = part(normal[:, :dim])
        return mean + ops.exp(log_gamma) * normal[:, dim:]
