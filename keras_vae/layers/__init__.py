"""The parts of models: Keras layers, densities, flows, gradients, fast kernels and code for Keras' backends.

Imports: `runtime`. Begin with `basic.py` (`Sampling` and other small layers) and `densities.py` (log densities and KL
divergences). `backends/` has a `train_step` for each Keras backend. `kernels/` makes bfloat16 fast on CPUs; `precision.py` measures where
it is.
"""
