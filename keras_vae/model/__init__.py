"""The model and its components.

Imports: `samplers`, `layers`, `config`. Begin with `autoencoder.py` (`VAE`, a `keras.Model`) and `step.py` (one pass of
a batch). Each component is a dataclass with a name in a dict: objectives/, likelihoods/, posteriors/, priors/,
networks/, regularizers/ and corruptions.py. `docs/architecture.md` explains how to add one.
"""
