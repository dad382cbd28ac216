"""Build of the documentation: ``sphinx-build -W --keep-going -b html docs docs/_build/html``.

Nothing is fetched: no page of another project is linked by inventory, formulas become MathML while
building, and what the code already says (methods, indicators, commands) is taken from the code.
"""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))

project = "whatworks"
author = "The whatworks authors"
copyright = "The whatworks authors, MIT licence"
release = version = version_of("whatworks")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "numpydoc",
    "mathml",
    "from_code",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "extensions"]
default_role = "py:obj"

myst_enable_extensions = ["deflist", "dollarmath", "attrs_block"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False

html_theme = "furo"
html_math_renderer = "mathml"
html_title = f"whatworks {release}"
html_static_path = ["static"]
html_css_files = ["wide.css"]
