"""What models are built from: Keras layers, densities, flows, gradients, fast kernels, and Keras' backends.

Imports: `runtime`. Begin with `basic.py` (`Sampling` and other small layers) and `densities.py` (log densities and KL
divergences). `backends/` has one `train_step` for each backend of Keras, `kernels/` makes bfloat16 fast on CPUs.
"""
