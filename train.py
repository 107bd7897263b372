"""Trains an autoencoder: `python train.py --help`."""

from keras_vae_commands import train

if __name__ == "__main__":
    train()
