"""The model's parts: what it is given in training, and the metrics beside its loss."""
