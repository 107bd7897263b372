"""The model's parts: what it takes in training, the metrics beside its loss, its scores and its batches."""
