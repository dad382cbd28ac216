"""One file per layout of raw file, and the register of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from whatworks.sources.layout import Layout
from whatworks.sources.layouts import persons, snapshots, spells, wide

LAYOUTS: Final[Mapping[str, Layout]] = {
    "persons": persons,
    "spells": spells,
    "snapshots": snapshots,
    "wide": wide,
}
