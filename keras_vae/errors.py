"""Every exception that a caller may catch. Each message is one sentence, with the way out."""


class UsageError(ValueError):
    """The user's input cannot be used. The message is one line, whatever it was made from."""

    def __init__(self, message):
        super().__init__(printable(" ".join(line.strip() for line in str(message).splitlines())))


class Damaged(UsageError):
    """A file has changed since it was written. The message names it."""


class DatasetError(ValueError):
    """Images or labels are missing or unusable."""


class UnreadableImageError(Exception):
    """A file is not a usable image. The message says why, without the file's name."""


class FeatureError(ValueError):
    """The requested features are not available."""


class WriteError(OSError):
    """A file cannot be written, because the disk is full or permission is missing."""


class TrainingStopped(Exception):
    """Training cannot continue. The message says where it went wrong and what to try."""


class WorkerLost(Exception):
    """Another worker of a distributed training is gone."""


class StatusError(Exception):
    """A request to a server failed.

    Attributes:
        code: A status code of TensorFlow, such as "NOT_FOUND".
        message: One sentence.
    """

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class ServingError(StatusError):
    """The server did not answer as requested."""


class NoSuchModel(ServingError):
    """The server does not have this model, or not this version of it."""


class StillLoading(ServingError):
    """The model is still being loaded. Try again later."""


class BadInput(ServingError, ValueError):
    """The request does not fit the model. Trying again does not help."""


class ServerGone(ServingError, ConnectionError):
    """No server answers at this address, or it accepts no more requests for now."""


class TimedOut(ServingError, TimeoutError):
    """The server did not answer in time."""


def first_line(error):
    """Returns the first line of an exception's message, or the name of its class if it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def printable(text):
    """Returns `text` with control characters and line ends escaped, as Python writes them."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
