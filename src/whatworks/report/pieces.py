"""Pieces that several parts of a page are made of."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from whatworks.report.tables import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A figure with its caption and its numbers."""

    key: str
    svg: Markup
    caption: str
    table: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A reason, the points of strength it costs, and what would lift it."""

    text: str
    lifted_by: str
    points: str = ""
