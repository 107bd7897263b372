"""The metrics passed to `compile`, which compare images with their reconstructions."""

import numpy as np

from keras_vae.layers import backends
from keras_vae.runtime.upstream import compile_metrics


def check_loss(given):
    """Raises a ValueError if the arguments of `compile` contain a loss or loss weights."""
    if given.get("loss") is not None:
        raise ValueError("compile was given a loss: the model's objective is its loss (leave `loss` out)")
    if given.get("loss_weights") is not None:
        raise ValueError(
            "compile was given loss_weights: the model's objective weighs the terms of its loss (leave `loss_weights` out"
            " and set the objective's own weight, such as beta)"
        )


def build(model):
    """Builds the metrics of a compiled model. All their state must exist before the steps are traced.

    Raises:
        ValueError: A metric cannot compare images, or has the name of a term of the loss.
    """
    metrics = compile_metrics(model)
    if metrics is None:
        return
    images = np.full((2, *model.image_shape), 0.5, "float32")
    try:
        metrics.build(images, images)
        if backends.num_replicas() == 1:
            # Some metrics create their state in their first update.
            metrics.update_state(images, images, sample_weight=np.ones(2, "float32"))
            metrics.reset_state()
    except Exception as error:
        names = ", ".join(str(getattr(metric, "name", metric)) for metric in metrics.metrics)
        reason = f"{error}".strip().partition("\n")[0]
        raise ValueError(
            f"the metrics {names or 'given'} cannot compare images with their reconstructions,"
            f" [batch, {', '.join(map(str, model.image_shape))}] ({reason})"
        ) from error
    for metric in metrics.metrics:
        if metric.name in model.trackers:
            raise ValueError(
                f"a metric is called {metric.name!r}, which is the name of a term of the loss: give it another name"
            )


def update(model, batch):
    """Updates the metrics of `model` with a `Batch` of tensors and its reconstructions, as returned by `predict`."""
    metrics = compile_metrics(model)
    if metrics is None:
        return
    shown = model(batch.inputs(), training=False)
    targets = batch.images if batch.targets is None else batch.targets
    metrics.update_state(targets, shown, sample_weight=batch.weights)
