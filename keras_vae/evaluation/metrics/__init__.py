"""Measurements: functions of arrays that use only NumPy, SciPy and scikit-learn."""
