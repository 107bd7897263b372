"""The commands, one file for each: flags and messages, no logic.

Imports: all rooms. Begin with `train.py`.
"""
