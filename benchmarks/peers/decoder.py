"""The FLOPs of an image in a run's decoder."""

import sys

from peers.task import report

from keras_vae.evaluation.subject import load_model
from keras_vae.runtime import devices
from keras_vae.training import pace
from keras_vae.training.run_folder import Run


def main():
    """Counts and reports."""
    devices.start()
    report(flops=pace.flops_forward(load_model(Run.open(sys.argv[1])).decoder))


if __name__ == "__main__":
    main()
