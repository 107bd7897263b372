"""The machine and its files: devices, workers, whole files, checksums, threads, progress, heavy imports.

Imports: `errors`. Begin with `files.py` (every file is written whole or not at all) and `lazy.py` (TensorFlow and Keras
are imported when they are first used).
"""
