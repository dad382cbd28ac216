"""What a mapping says of XML files: which element is a row, and where its columns are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Final

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from whatworks.sources.mapping.strict import Strict
from whatworks.sources.toml_problems import misuse

_UP: Final = "../"
_STEP: Final = r"[^\W\d][\w.-]*"
_NAME: Final = re.compile(_STEP)
_STEPS: Final = re.compile(rf"{_STEP}(/{_STEP})*")


class Markup(Strict):
    """Elements of an XML file as rows and columns."""

    unit: str
    """Name of the element held in memory at once, such as a household: rows and what they share lie
    inside."""
    row: str = "."
    """Path from the unit to the elements that are rows; ``.`` when the unit is the row."""
    columns: Annotated[dict[str, str], Field(min_length=1)]
    """Name of each column and its path. ``NOM`` starts at the row, ``../PAIE/ETAT`` goes up from it (as
    far as the unit), and ``/RACINE/ENTETE/DATE`` is a part of the file that comes before the units."""

    @property
    def row_steps(self) -> tuple[str, ...]:
        """Names from the unit down to a row."""
        return () if self.row == "." else tuple(self.row.split("/"))

    @model_validator(mode="after")
    def _well_written(self) -> Markup:
        for key, text, form in (
            ("unit", self.unit, _NAME),
            ("row", "" if self.row == "." else self.row, _STEPS),
        ):
            if text and not form.fullmatch(text):
                raise _not_a_path(key, text)
        for name, path in self.columns.items():
            if path == ".":
                continue
            ups, steps = way(path)
            if not _STEPS.fullmatch("/".join(steps)):
                raise _not_a_path(f"columns.{name}", path)
            if ups is not None and ups > len(self.row_steps):
                raise misuse(
                    f"columns.{name}",
                    needed=f"a path that stays within the unit {self.unit!r}",
                    found=repr(path),
                    remedy="name a larger element in 'unit', or write fewer '../'",
                )
        for above, below in self._texts_with_parts():
            raise misuse(
                "columns",
                needed="paths to elements that hold text, none of which lies on the way of another",
                found=f"{above!r} and {below!r}",
                remedy="lead the first to the element inside that holds its text",
            )
        return self

    def _texts_with_parts(self) -> Iterator[tuple[str, str]]:
        """Pairs of paths of which the first is the beginning of the second."""
        ways = sorted(
            (-1 if ups is None else ups, steps, path)
            for path in set(self.columns.values()) - {"."}
            for ups, steps in (way(path),)
        )
        for (ups, steps, path), (others, further, below) in pairwise(ways):
            if ups == others and steps == further[: len(steps)]:
                yield path, below


def way(path: str) -> tuple[int | None, tuple[str, ...]]:
    """How a path of a column leads to its element.

    Returns
    -------
    ups : int or None
        Elements to climb from the row; None when the path starts at the root of the file.
    steps : tuple of str
        Names to go down from there.

    Examples
    --------
    >>> way("NOM"), way("../PAIE/ETAT"), way("/RACINE/DATE")
    ((0, ('NOM',)), (1, ('PAIE', 'ETAT')), (None, ('RACINE', 'DATE')))
    """
    if path.startswith("/"):
        return None, tuple(path[1:].split("/"))
    down = path
    while down.startswith(_UP):
        down = down.removeprefix(_UP)
    return (len(path) - len(down)) // len(_UP), tuple(down.split("/"))


def _not_a_path(key: str, text: str) -> PydanticCustomError:
    return misuse(
        key,
        needed="names of elements with '/' between them, without the prefix of a namespace",
        found=repr(text),
        remedy="write for instance NOM, ADRESSE/COMMUNE, ../PAIE/ETAT or /RACINE/ENTETE/DATE"
        if key.startswith("columns")
        else "write the names as the file does, without what stands before ':'",
    )
