"""Exported runs behind TF Serving, or behind a server of the same REST interface on one's own machine."""
