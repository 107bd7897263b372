"""The error that the data sources raise."""


class DatasetError(ValueError):
    """Data are missing or unusable; one sentence says what was found, what is expected and the way out."""
