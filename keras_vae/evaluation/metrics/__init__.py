"""Measurements: arrays in, numbers out, with NumPy, SciPy and scikit-learn only. Each file stands alone."""
