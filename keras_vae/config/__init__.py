"""Dataclasses as JSON (`codec.py`) and as command-line flags (`flags.py`). The settings themselves are in other rooms.

Imports: `runtime`. Begin with `codec.option`, which declares a field, and `flags.parse`.
"""
