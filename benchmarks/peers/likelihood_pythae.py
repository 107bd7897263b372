"""The same by Pythae's own `VAE.get_nll`, on the CPU, without gradients, its networks those of `peers/pytorch.py`."""

import torch
from peers import pytorch
from peers.networks import NETWORKS
from peers.task import generated_images, likelihood_arguments, report, timed
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder

CODES_AT_ONCE = 100  # Pythae's default, `batch_size`


class Encoder(BaseEncoder):
    """Images to what Pythae calls their codes' mean and log-variance."""

    def __init__(self, network):
        super().__init__()
        self.network = pytorch.Encoder(network)

    def forward(self, images):
        mean, log_var = self.network(images)
        return ModelOutput(embedding=mean, log_covariance=log_var)


class Decoder(BaseDecoder):
    """Codes to images."""

    def __init__(self, network):
        super().__init__()
        self.network = pytorch.Decoder(network)

    def forward(self, codes):
        return ModelOutput(reconstruction=torch.sigmoid(self.network(codes)))


def main():
    """Measures and reports; the network is not trained, which costs the same."""
    arguments = likelihood_arguments(__doc__, ("float32",))
    network = NETWORKS[arguments.network]
    torch.manual_seed(0)
    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=network.latent, reconstruction_loss="bce")
    model = VAE(config, Encoder(network), Decoder(network)).eval().to(memory_format=torch.channels_last)
    images = pytorch.images_first(generated_images(arguments.images))
    found = []
    with torch.no_grad():
        model.get_nll(images[:2], arguments.samples, CODES_AT_ONCE)
        seconds = timed(lambda: found.append(float(model.get_nll(images, arguments.samples, CODES_AT_ONCE))))
    report(images_per_second=arguments.images / seconds, seconds=seconds, nats=-found[0], precision="float32")


if __name__ == "__main__":
    main()
