"""The model and its parts.

Imports: `samplers`, `layers`, `config`. Begin with `autoencoder.py` (`VAE`, a `keras.Model`) and `step.py` (one pass of a
batch). Each part is a dataclass with a name in a dict: objectives/, likelihoods/, posteriors/, priors/, networks/,
regularizers/ and corruptions.py. `docs/architecture.md` says how to add one.
"""
