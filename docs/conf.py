"""Builds the documentation: `sphinx-build -nW docs docs/_build` (the extra `docs`)."""

import importlib.metadata
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import generated  # noqa: E402

project = "keras_vae"
copyright = "the keras_vae authors"
release = importlib.metadata.version("keras-vae")
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build", "examples", "jupyter_execute"]
html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
}
html_title = "keras_vae"
html_show_sourcelink = False
html_static_path = []

nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / ".jupyter_cache")
nb_execution_raise_on_error = True
nb_execution_timeout = 1200
nb_output_stderr = "warn"  # notebooks write nothing on standard error
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath"]
suppress_warnings = [
    "myst.xref_missing"
]  # links to files of the repository, which tests/test_readme.py checks

default_role = "code"  # docstrings write names in single backticks
autodoc_member_order = "bysource"
autodoc_typehints = "none"
nitpick_ignore_regex = [("py:.*", ".*")]  # docstrings name types in words

generated.write(HERE / "reference")


def literal_blocks(app, what, name, obj, options, lines):
    """Marks indented formulas of a docstring as literal text: reStructuredText would read them as quotations."""
    marked, blank, fenced = [], False, False
    for number, line in enumerate(lines):
        if line.startswith("```"):
            fenced = not fenced
            marked += ["::", ""] if fenced else [""]
            continue
        if fenced:
            marked.append(f"    {line}")
            continue
        if line.rstrip() in ("Args:", "Attributes:", "Returns:", "Raises:", "Warns:", "Yields:"):
            marked += lines[number:]
            break
        if line.startswith("    ") and blank and not in_literal(marked):
            marked += ["::", ""]
        marked.append(line)
        blank = not line.strip()
    lines[:] = marked


def in_literal(lines):
    """Returns whether the last lines belong to a literal block that has begun."""
    for line in reversed(lines):
        if line.strip() == "::" or line.endswith("::"):
            return True
        if line.strip() and not line.startswith("    "):
            return False
    return False


def setup(app):
    """Connects what reads docstrings, before napoleon does."""
    app.connect("autodoc-process-docstring", literal_blocks, priority=400)
