"""The training replay (`keras_vae.training.replay`) as the page shows it."""

import numpy as np

from keras_vae.training.replay import NUMBERS, read

COVERED = 0.98  # share of the places at each epoch that lie within the plane that is shown
MARGIN = 0.05
CURVES = ("loss", "distortion", "rate")


def replay_of(world):
    """Returns the replay of a world's run.

    The places are those of the map, exactly if all numbers of a code were kept. Of larger codes only fixed projections
    were kept. The linear function of them that comes closest to the places on the map, by least squares at the last
    epoch, takes their place.

    Returns:
        {"epochs": int32 `[f]`, "places": float32 `[f, n, 2]`, "labels": int32 `[n]` or None, "samples": uint8 `[f * s,
        height, width, channels]`, "bounds": [left, right, bottom, top], "kept": k, "is_exact": bool, of the places,
        "curves": of `curves`}. Without a replay {"why": the reason}.
    """
    run = world.run
    kept = read(run)
    if kept is None:
        return {"why": why_not(run)}
    places = places_of(world, kept["codes"].astype("float32"))
    samples = kept["samples"]
    return {
        "epochs": kept["epochs"].astype("int32"),
        "places": places,
        "labels": kept["labels"],
        "samples": samples.reshape(-1, *samples.shape[2:]),
        "bounds": bounds(places, world.map["bounds"]),
        "kept": kept["codes"].shape[-1],
        "is_exact": dims_of(world) <= NUMBERS,
        "curves": curves(run),
    }


def why_not(run):
    """Returns why a run has no replay."""
    if not run.replay_file.is_file():
        return "This run kept no replay: an older version trained it, or its replay.npz was removed."
    return f"The replay of this run cannot be shown: {run.fault(run.replay_file) or 'its replay.npz is damaged'}."


def places_of(world, codes):
    """Returns the places on the map of kept codes, `[f, n, k]`: `[f, n, 2]`."""
    count = min(codes.shape[1], len(world.map["coordinates"]))
    flat = codes.reshape(-1, codes.shape[-1])
    if dims_of(world) <= NUMBERS:
        found = (flat - world.principal["center"]) @ world.principal["directions"][:2].T
    else:
        wanted = world.map["coordinates"][:count, :2]
        found = with_one(flat) @ np.linalg.lstsq(with_one(codes[-1, :count]), wanted, rcond=None)[0]
    found = np.pad(found, ((0, 0), (0, 2 - found.shape[1])))
    return found.reshape(*codes.shape[:2], 2).astype("float32")


def dims_of(world):
    """Returns the number of values in a code, without the model, which need not be loaded for this."""
    return len(world.principal["center"])


def with_one(rows):
    """Returns rows, `[n, k]`, with an additional column of ones."""
    return np.pad(rows, ((0, 0), (0, 1)), constant_values=1)


def bounds(places, extent):
    """Returns a square, (left, right, bottom, top), with the map's extent and most places at each epoch."""
    tail = (1 - COVERED) / 2
    low, high = (np.quantile(places, share, axis=1) for share in (tail, 1 - tail))
    low = np.minimum(low.min(axis=0), extent[::2])
    high = np.maximum(high.max(axis=0), extent[1::2])
    reach = (0.5 + MARGIN) * float((high - low).max())
    return [float(middle + side * reach) for middle in (low + high) / 2 for side in (-1, 1)]


def curves(run):
    """Returns columns of the history: {"epoch": [...], "loss", "distortion", "rate", and the same with val_: [...]}."""
    try:
        rows = run.read_history()
    except (OSError, TypeError, ValueError):
        return {"epoch": []}
    names = ["epoch", *(prefix + name for name in CURVES for prefix in ("", "val_"))]
    return {name: [row[name] for row in rows] for name in names if rows and name in rows[0]}
