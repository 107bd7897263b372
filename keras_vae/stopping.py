"""Training that cannot go on."""


class TrainingStopped(Exception):
    """Training cannot go on; the message says where it went wrong and what to try."""
