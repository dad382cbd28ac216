"""Formulas as MathML, written while building: readers need no network and no script.

Sphinx's own renderers load a script from elsewhere or ask for LaTeX; docutils, which Sphinx stands
on, already translates LaTeX to MathML, which every current browser lays out and reads aloud.
"""

from __future__ import annotations

import re

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)
_SIZES = re.compile(r"\\([bB]igg?)(?=\s*([(\[|)\]]))")


def convert(tex: str, *, block: bool) -> str:
    r"""MathML of a formula.

    docutils knows ``\bigl(`` and not ``\big(``: sizes without a side get the side of their bracket.

    >>> convert(r"\big(x\big)", block=False).startswith("<math")
    True
    """
    sided = _SIZES.sub(lambda m: f"\\{m[1]}{'r' if m[2] in ')]' else 'l'}", tex)
    return str(tex2mathml(sided, as_block=block))


def _write(self: HTML5Translator, node: nodes.Element, *, block: bool) -> None:
    try:
        self.body.append(convert(node.astext(), block=block))
    except MathError as error:
        logger.warning("formula not understood: %s", error, location=node)
    raise nodes.SkipNode


def inline(self: HTML5Translator, node: nodes.Element) -> None:
    _write(self, node, block=False)


def block(self: HTML5Translator, node: nodes.Element) -> None:
    _write(self, node, block=True)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
