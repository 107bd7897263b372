"""Trains an autoencoder: `python train.py --help`."""

from keras_vae.training.training import main

if __name__ == "__main__":
    main()
