"""Dataclasses as JSON (`codec.py`) and as command-line flags (`flags.py`). Other packages define the settings.

Imports: `runtime`. Begin with `codec.option`, which declares a field, and `flags.parse`.
"""
