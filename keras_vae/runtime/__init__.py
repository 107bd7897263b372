"""The machine and its files: devices, workers, atomic writes, checksums, threads, progress and lazy imports.

Imports: `errors`. Begin with `files.py` (files are written atomically) and `lazy.py` (TensorFlow and Keras are imported
on first use).
"""
