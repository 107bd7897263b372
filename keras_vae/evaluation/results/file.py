"""Checks results.json against the types of the results on writing and on reading."""

from keras_vae.errors import UsageError
from keras_vae.runtime.json_file import read_json


def check(results):
    """Checks results before they are written; entries may be missing.

    Raises:
        ValueError: An entry has a name that `Results` does not have, or a value of another type.
    """
    wrong = [problem for problem in problems(results) if problem["type"] != "missing"]
    if wrong:
        raise ValueError("; ".join(f"{place(problem)}: {problem['msg']}" for problem in wrong))


def read_results(path):
    """Returns the results in the file `path`, a dict.

    The file may be from another version: entries may be missing, and entries unknown to this version are dropped.

    Raises:
        UsageError: The file cannot be read, or an entry does not have the type that `Results` defines.
    """
    results = read_json(path)
    for problem in problems(results):
        if is_unknown(problem):
            drop(results, problem["loc"])
        elif not may_differ(problem):
            raise UsageError(
                f"{path}: {place(problem)} does not have the type that evaluate.py writes (evaluate the run again)"
            )
    return results


def problems(results):
    """Returns the differences from `Results`, a list of Pydantic's error dicts."""
    from pydantic import ValidationError

    from keras_vae.evaluation.results import Results

    try:
        Results.model_validate(results)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def place(problem):
    """Returns the dotted path of a problem."""
    return ".".join(map(str, problem["loc"]))


def is_unknown(problem):
    """Returns whether this version does not know the name.

    A ladder accepts any name, because there may be other samplers. An entry in a ladder that is not a section is a
    number unknown to this version.
    """
    from keras_vae.evaluation.results.schema import results_schema

    if problem["type"] == "extra_forbidden":
        return True
    *section, name = problem["loc"]
    known = results_schema()["properties"].get(section[0], {}) if len(section) == 1 else {}
    return "properties" in known and name not in known["properties"]


def may_differ(problem):
    """Returns whether another version may have written this: a missing entry, or another word."""
    return problem["type"] == "missing" or (
        problem["type"] == "literal_error" and isinstance(problem["input"], str)
    )


def drop(results, path):
    """Removes the entry at `path`, a tuple of names and indices."""
    for part in path[:-1]:
        results = results[part]
    del results[path[-1]]
