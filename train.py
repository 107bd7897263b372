"""Trains an autoencoder: `python train.py --help`."""

from keras_vae.cli.train import main

if __name__ == "__main__":
    main()
