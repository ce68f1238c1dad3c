"""How the pages of this folder become a site: ``make docs``, offline, from this folder alone."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "extensions"), str(HERE.parent / "src")]

from polyglance import __version__  # noqa: E402 -- the path comes first

project = "Polyglance"
author = "The Polyglance developers"
copyright = author  # noqa: A001 -- Sphinx's name
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "generated_reference",
    "mathml",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
smartquotes = False  # two hyphens begin an option, and are no dash
html_math_renderer = "mathml"

# A name outside the reference is text there: what it is, its own file says.
nitpick_ignore_regex = [("py:.*", ".*")]
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True}
napoleon_use_ivar = True  # fields of a class are told once, in its own docstring
napoleon_use_rtype = False

html_theme = "furo"
html_title = "Polyglance"
html_favicon = "../src/polyglance/serve/static/icon.svg"
html_show_sphinx = False
html_copy_source = False
# JSON and consoles of these pages have ellipses in them, which no lexer knows.
suppress_warnings = ["misc.highlighting_failure"]
