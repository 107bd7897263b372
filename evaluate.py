"""Measures whether a trained model can generate, and says why not: `python evaluate.py --help`."""

from keras_vae.cli.evaluate import main

if __name__ == "__main__":
    main()
