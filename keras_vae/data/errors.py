"""The one error that the data sources raise."""


class DatasetError(ValueError):
    """Data cannot be had or used: one sentence with what was found, what is expected and the way out."""
