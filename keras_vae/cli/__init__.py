"""The command-line programs, one file each: flags and messages, no logic.

Imports: all rooms. Begin with `train.py`.
"""
