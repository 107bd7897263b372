"""From settings to a trained model in a run folder.

Imports: `export`, `data`, `model`. Begin with `loop.train`. `config.py` has the settings, `setup.py` turns them into
images and a compiled model, `run_folder.py` writes every file of a run, `resuming.py` continues one.
"""
