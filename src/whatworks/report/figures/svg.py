"""A figure as SVG: text kept as text, ids of its own, a text alternative, nothing that changes."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from whatworks.report.figures.style import look

FONTS: Final = "'DejaVu Sans', Verdana, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"

_SVG: Final = "http://www.w3.org/2000/svg"
_LINK: Final = "{http://www.w3.org/1999/xlink}href"
_REFERENCE: Final = re.compile(r"url\(#([^)]+)\)")
_FAMILY: Final = re.compile(r"font-family: [^;]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A figure ready to be printed.

    Parameters
    ----------
    name : str
        File name without suffix, and prefix of every id.
    svg : str
        ``<svg role="img">`` element with its title and description, no namespace declared: as HTML
        wants it.
    data : DataFrame
        The numbers drawn.
    """

    name: str
    svg: str
    data: pd.DataFrame

    def file(self) -> str:
        """Text of a standalone SVG file."""
        namespace = f'<svg xmlns="{_SVG}" '
        return '<?xml version="1.0" encoding="utf-8"?>\n' + self.svg.replace("<svg ", namespace, 1)


def drawing(
    figure: Figure, *, name: str, title: str, description: str, data: pd.DataFrame
) -> Drawing:
    """Write a figure as SVG; the same figure gives the same bytes.

    Parameters
    ----------
    figure : matplotlib Figure
    name : str
    title, description : str
        Text alternative: what the figure is, and what it shows, numbers included.
    data : DataFrame
    """
    buffer = io.StringIO()
    with mpl.rc_context(look(name)):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    root = ET.fromstring(buffer.getvalue())  # noqa: S314 the text was written two lines above
    _strip(root)
    _make_own(root, name)
    _describe(root, name=name, title=title, description=description)
    return Drawing(name=name, svg=ET.tostring(root, encoding="unicode"), data=data)


def _strip(root: ET.Element) -> None:
    """Drop namespaces, metadata and the style sheet, which would reach the whole page."""
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{_SVG}}}")
        for child in list(element):
            if child.tag.endswith(("}metadata", "}style")):
                element.remove(child)
        if _LINK in element.attrib:
            element.set("href", element.attrib.pop(_LINK))
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.set("style", "stroke-linejoin: round; stroke-linecap: butt")


def _make_own(root: ET.Element, name: str) -> None:
    """Prefix ids and references with the figure's name; give text a stack of safe fonts."""
    for element in root.iter():
        for attribute, value in element.attrib.items():
            if attribute == "id":
                element.set(attribute, f"{name}-{value}")
            elif attribute == "href":
                element.set(attribute, f"#{name}-{value.removeprefix('#')}")
            elif "url(#" in value or "font-family" in value:
                own = _REFERENCE.sub(rf"url(#{name}-\1)", value)
                element.set(attribute, _FAMILY.sub(f"font-family: {FONTS}", own))


def _describe(root: ET.Element, *, name: str, title: str, description: str) -> None:
    """Give the element its role and its text alternative."""
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        child = ET.Element(tag, {"id": f"{name}-{tag}"})
        child.text = text
        root.insert(place, child)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title")
    root.set("aria-describedby", f"{name}-desc")
