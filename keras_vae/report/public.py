"""Results as a page may show them: pages are forwarded, so they contain no path of this machine."""

import re

# An absolute path of at least two parts, in quotes (then with any characters) or not.
QUOTED = re.compile(r"(?P<quote>['\"])(?P<path>/[^'\"\n/]+/[^'\"\n]*)(?P=quote)")
BARE = re.compile(r"(?<![\w.<:/~-])(?P<path>/[\w.@%+~-]+/[\w.@%+=:,~/-]*[\w@%+~-])")
PLACE = "path/to/"  # in the place of the folders that are left out


def presentable(results):
    """Returns plain results for a page: without absolute paths, and with today's names and spelling.

    Absolute paths begin with `path/to/`, followed by the run's name or else the last part. Objectives and likelihoods of
    older results have the names that one types. "Frechet" becomes "Fréchet".
    """
    run = results.get("run")
    shown = rewritten(results, lambda words: without_paths(words, run).replace("Frechet", "Fréchet"))
    return {
        **shown,
        **{key: registered(key, shown[key]) for key in ("objective", "decoder_likelihood") if shown.get(key)},
    }


def rewritten(value, rewrite):
    """Returns nested dicts and lists with `rewrite` applied to each text, keys included."""
    if isinstance(value, dict):
        return {rewrite(key): rewritten(entry, rewrite) for key, entry in value.items()}
    if isinstance(value, list):
        return [rewritten(entry, rewrite) for entry in value]
    return rewrite(value) if isinstance(value, str) else value


def without_paths(words, run=None):
    """Returns `words` with each absolute path shortened to `path/to/` and its end, from the name `run` on if it is in it."""

    def shortened(found):
        parts = [part for part in found["path"].split("/") if part]
        kept = parts[parts.index(run) :] if run in parts else parts[-1:]
        quote = found.groupdict().get("quote") or ""
        return f"{quote}{PLACE}{'/'.join(kept)}{quote}"

    if "/" not in words:
        return words
    return BARE.sub(shortened, QUOTED.sub(shortened, words))


def registered(key, name):
    """Returns the registry's name of an objective or likelihood that is given by the name of its class."""
    from keras_vae.model.likelihoods import LIKELIHOODS
    from keras_vae.model.objectives import OBJECTIVES

    registry = OBJECTIVES if key == "objective" else LIKELIHOODS
    classes = {kind.__name__: registered for registered, kind in reversed(registry.items())}
    return classes.get(name, name)
