"""How well `score` tells images of an unknown class: `python benchmarks/anomalies.py`, for docs/guides/anomaly_detection.md.

For each class of scikit-learn's digits a model is trained on the training images of the nine others. It then scores test
images of these nine and all images of the class that was left out. Printed are the areas under the ROC curve (AUC: the
chance that an unknown digit scores higher than a known one), each with its standard error over images (DeLong et al.
1988), for the score with 1 and with 16 codes an image and for the squared error of the reconstruction. The last row is
the mean over classes, with its standard error over classes.
"""

import argparse

import numpy as np

import keras_vae
from keras_vae.runtime.lazy import keras

NUM_SAMPLES = (1, 16)


def auc(known, unknown):
    """Returns the chance that one of `unknown` is larger than one of `known`, and its standard error (DeLong 1988)."""
    wins = (unknown[:, None] > known[None]) + 0.5 * (unknown[:, None] == known[None])
    by_unknown, by_known = wins.mean(axis=1), wins.mean(axis=0)
    variance = by_unknown.var(ddof=1) / len(unknown) + by_known.var(ddof=1) / len(known)
    return wins.mean(), variance**0.5


def trained_without(digits, label, epochs, seed):
    """Returns a model that has seen the training images of all classes but `label`."""
    keras.utils.set_random_seed(seed)
    model = keras_vae.VAE(digits.image_shape, latent=8, likelihood="gaussian_optimal", seed=seed)
    model.compile(keras.optimizers.Adam(2e-3))
    images = digits.train.images()[np.asarray(digits.train.labels) != label]
    model.fit(images, epochs=epochs, batch_size=64, verbose=0)
    return model


def squared_errors(model, images):
    """Returns the mean squared error of each image's reconstruction."""
    return np.mean((model.predict(images, verbose=0) - images) ** 2, axis=(1, 2, 3))


def measure(digits, label, epochs, seed):
    """Returns the AUC and its error for each way to score, `[ways, 2]`, with the class `label` left out."""
    model = trained_without(digits, label, epochs, seed)
    splits = [(split.images(), np.asarray(split.labels)) for split in (digits.train, digits.test)]
    known = splits[1][0][splits[1][1] != label]
    unknown = np.concatenate([images[labels == label] for images, labels in splits])
    rows = [
        auc(*(np.asarray(model.score(images, num_samples=number, seed=seed)) for images in (known, unknown)))
        for number in NUM_SAMPLES
    ]
    return [*rows, auc(*(squared_errors(model, images) for images in (known, unknown)))]


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--classes", default="0,1,2,3,4,5,6,7,8,9", help="those left out, one after the other"
    )
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    digits = keras_vae.load_dataset("digits")
    names = [f"score, {number} code{'s' * (number > 1)}" for number in NUM_SAMPLES] + ["squared error"]
    print(f"| left out | {' | '.join(names)} |\n|{'---|' * (1 + len(names))}", flush=True)
    found = []
    for label in map(int, asked.classes.split(",")):
        found.append(measure(digits, label, asked.epochs, asked.seed))
        cells = " | ".join(f"{area:.3f} +- {error:.3f}" for area, error in found[-1])
        print(f"| {label} | {cells} |", flush=True)
    areas = np.array(found)[:, :, 0]
    if len(areas) > 1:
        errors = areas.std(axis=0, ddof=1) / len(areas) ** 0.5
        cells = " | ".join(f"{area:.3f} +- {error:.3f}" for area, error in zip(areas.mean(axis=0), errors))
        print(f"| mean | {cells} |")


if __name__ == "__main__":
    main()
