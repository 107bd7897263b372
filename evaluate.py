"""Measures whether a trained model can generate, and says why not: `python evaluate.py --help`."""

from keras_vae_commands import evaluate

if __name__ == "__main__":
    evaluate()
