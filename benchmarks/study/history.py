"""What a training's history says of its convergence."""

import csv

LAST = 0.25  # of the epochs


def measure_history(file):
    """Returns, from `history.csv`, the epochs, the best one, and what the last quarter of them still gained.

    `still_gained` is the fall of the held-out loss over them, in nats an image; the learning rate falls to 0 towards
    the end, so that it says whether a longer training would gain, no more. `last_over_best` is by how much the last
    epoch's held-out loss lies above the best one: overfitting, which the kept model is spared.
    """
    with open(file, encoding="utf-8", newline="") as opened:
        losses = [float(row["val_loss"]) for row in csv.DictReader(opened)]
    best = min(range(len(losses)), key=losses.__getitem__)
    return {
        "epochs": len(losses),
        "best_epoch": best + 1,
        "still_gained": losses[int((1 - LAST) * (len(losses) - 1))] - losses[-1],
        "last_over_best": losses[-1] - losses[best],
    }
