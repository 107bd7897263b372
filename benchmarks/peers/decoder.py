"""The FLOPs of an image in a run's decoder."""

import sys

from peers.task import report

from keras_vae import pace
from keras_vae.evaluation.subject import load_model
from keras_vae.runs import Run
from keras_vae.runtime import devices


def main():
    """Counts and reports."""
    devices.start()
    report(flops=pace.flops_forward(load_model(Run.open(sys.argv[1])).decoder))


if __name__ == "__main__":
    main()
