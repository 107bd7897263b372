"""PyTorch on the CPU, channels last, float32 or bfloat16 autocast, in the loop of Pythae's BaseTrainer.

That is: a DataLoader without workers over single images, one forward pass (under autocast, where asked for), the sum
over pixels of the cross-entropy of sigmoid(logits), zero_grad, backward, step, and the loss read in every step.
"""

import torch
from peers.networks import NETWORKS
from peers.task import LEARNING_RATE, generated_images, report_training, timed, training_arguments
from torch import nn
from torch.nn import functional


class Images(torch.utils.data.Dataset):
    """Images with labels, one by one, as Pythae's BaseDataset gives them."""

    def __init__(self, images):
        self.images, self.labels = images, torch.ones(len(images))

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return {"data": self.images[index], "labels": self.labels[index]}


class Encoder(nn.Module):
    """Images `[n, 1, 28, 28]` to the mean and the log-variance of their codes."""

    def __init__(self, network):
        super().__init__()
        stages = []
        for layer in network.encoder_layers:
            sizes = layer.inputs[1], layer.outputs[1], layer.kernel
            stages += [nn.Conv2d(*sizes, stride=layer.stride, padding=1), *following(network, layer)]
        hidden = [nn.Linear(network.num_features, network.hidden), nn.ReLU()] if network.hidden else []
        self.features = nn.Sequential(*stages, nn.Flatten(), *hidden)
        read = network.hidden or network.num_features
        self.mean, self.log_var = nn.Linear(read, network.latent), nn.Linear(read, network.latent)

    def forward(self, images):
        features = self.features(images)
        return self.mean(features), self.log_var(features)


class Decoder(nn.Module):
    """Codes to logits."""

    def __init__(self, network):
        super().__init__()
        size, channels = network.bottom
        *inner, last = network.decoder_layers
        stages = [nn.Linear(network.latent, size**2 * channels)]
        stages += [] if network.normalized else [nn.ReLU()]
        stages.append(nn.Unflatten(1, (channels, size, size)))
        for layer in inner:
            stages += [transposed(layer), *following(network, layer)]
        self.stages = nn.Sequential(*stages, transposed(last))

    def forward(self, codes):
        return self.stages(codes)


class VAE(nn.Module):
    """Both."""

    def __init__(self, network):
        super().__init__()
        self.encoder, self.decoder = Encoder(network), Decoder(network)

    def forward(self, images):
        """Returns the loss, a mean over `images`."""
        mean, log_var = self.encoder(images)
        codes = mean + torch.exp(0.5 * log_var) * torch.randn_like(log_var)
        decoded = torch.sigmoid(self.decoder(codes).float())
        entropy = functional.binary_cross_entropy(decoded.flatten(1), images.flatten(1), reduction="none")
        rate = -0.5 * (1 + log_var - mean**2 - log_var.exp())
        return (entropy.sum(1) + rate.sum(1)).mean()


def following(network, layer):
    """Returns what follows a convolution."""
    return [*([nn.BatchNorm2d(layer.outputs[1])] if network.normalized else []), nn.ReLU()]


def transposed(layer):
    """Returns PyTorch's form of a transposed convolution."""
    sizes = layer.inputs[1], layer.outputs[1], layer.kernel
    return nn.ConvTranspose2d(*sizes, layer.stride, padding=1, output_padding=layer.output_padding)


def images_first(images):
    """Returns uint8 images `[n, height, width, 1]` as float32 `[n, 1, height, width]`."""
    return (torch.from_numpy(images).float() / 255).permute(0, 3, 1, 2)


class Trainer:
    """The loop."""

    def __init__(self, model, loader, precision):
        self.model, self.loader, self.precision = model, loader, precision
        self.optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)

    def epoch(self):
        """Trains on all images once; keeps the mean loss."""
        self.model.train()
        total = 0.0
        for inputs in self.loader:
            images = inputs["data"].to(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bfloat16"):
                loss = self.model(images)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item()
        self.loss = total / len(self.loader)


def main():
    """Trains and reports."""
    arguments = training_arguments(__doc__, ("float32", "bfloat16"))
    network = NETWORKS[arguments.network]
    torch.manual_seed(0)
    images = images_first(generated_images())
    model = VAE(network).to(memory_format=torch.channels_last)
    loader = torch.utils.data.DataLoader(
        Images(images[: arguments.steps * network.batch]), network.batch, shuffle=True
    )
    trainer = Trainer(model, loader, arguments.precision)
    seconds = [timed(trainer.epoch) for _ in range(arguments.epochs + 1)][1:]
    report_training(
        seconds,
        arguments.steps,
        network.batch,
        precision=arguments.precision,
        weights=sum(weight.numel() for weight in model.parameters()),
        loss=trainer.loss,
    )


if __name__ == "__main__":
    main()
