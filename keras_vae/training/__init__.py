"""Training of a model from settings into a run folder.

Imports: `export`, `data`, `model`. Begin with `loop.train`. `config.py` has the settings, `setup.py` turns them into
images and a compiled model, `run_folder.py` writes the files of a run, and `resuming.py` continues one.
"""
