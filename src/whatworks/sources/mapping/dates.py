"""What a mapping says of days, months and vintages."""

from __future__ import annotations

import re
from typing import Final, Literal

from pydantic import field_validator, model_validator

from whatworks.sources.mapping.strict import MonthLabel, Strict
from whatworks.sources.toml_problems import misuse

DAY_PARTS: Final = (frozenset("Yy"), frozenset("mbBj"), frozenset("dj"))
MONTH_PARTS: Final = (frozenset("Yy"), frozenset("mbB"))
_DIRECTIVES: Final = frozenset("YymbBdjHMSf%")


class DateColumn(Strict):
    """A date and how it is written (``strptime`` codes)."""

    column: str | None = None
    """Header in the file."""
    first_of: tuple[str, ...] = ()
    """Instead of ``column``: the first of these columns that is not blank."""
    format: str = "%Y-%m-%d"
    """How it is written: ``%Y %y %m %b %B %d %j``, and ``%H %M %S %f``."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Headers read, in order of preference."""
        return self.first_of if self.column is None else (self.column,)

    @model_validator(mode="after")
    def _one_place(self) -> DateColumn:
        if (self.column is None) == (not self.first_of):
            raise misuse(
                "",
                needed="either 'column' or 'first_of'",
                found="neither" if self.column is None else "both",
                remedy="keep exactly one of the two",
            )
        return self


class EndColumn(DateColumn):
    """The end of a spell and the conventions of its producer."""

    bound: Literal["inclusive", "exclusive"] = "inclusive"
    """The last day of the stay, or the first day after it."""
    open: tuple[str, ...] = ("",)
    """Raw values that mean *not ended*."""
    sentinel: tuple[str, ...] = ()
    """Raw values that stand for *no end known*, e.g. ``2040-01-01``."""


class MonthColumns(Strict):
    """Wide layout: each column whose header is a month under this pattern holds its codes."""

    pattern: str
    """How headers write months, such as ``%b.%y``."""

    @field_validator("pattern")
    @classmethod
    def _a_month(cls, pattern: str) -> str:
        check_format(pattern, MONTH_PARTS, key="", example="%b.%y")
        return pattern


class Vintage(Strict):
    """When an extract was made, and what a later one does to an earlier one."""

    from_name: str | None = None
    r"""Regular expression with one group, found in the file's name, e.g. ``_(\d{6})\.csv``."""
    format: str = "%Y-%m"
    """How that group is written."""
    month: MonthLabel | None = None
    """Instead of ``from_name``: the same vintage for every file."""
    supersedes: Literal["nothing", "months", "all"] = "nothing"
    """What the newest file replaces: nothing; the same months of older files (``snapshots``);
    or older files as a whole."""
    settled_after: int = 0
    """Months after which an observation is definitive; nearer to the vintage it may still change."""

    @model_validator(mode="after")
    def _one_way(self) -> Vintage:
        if (self.from_name is None) == (self.month is None):
            raise misuse(
                "",
                needed="either 'from_name' or 'month'",
                found="neither" if self.month is None else "both",
                remedy="keep exactly one of the two",
            )
        if self.from_name is not None:
            _check_group(self.from_name)
            check_format(self.format, MONTH_PARTS, key="format", example="%Y%m")
        if self.settled_after < 0:
            raise misuse(
                "settled_after",
                needed="a number of months, 0 or more",
                found=str(self.settled_after),
                remedy="write 0 when observations never change",
            )
        return self


def _check_group(pattern: str) -> None:
    try:
        groups = re.compile(pattern).groups
    except re.error:
        groups = -1
    if groups != 1:
        raise misuse(
            "from_name",
            needed=r"a regular expression with one group, such as _(\d{6})\.csv",
            found=repr(pattern),
            remedy="put parentheses around the date in the name, and nowhere else",
        )


def check_format(
    pattern: str, parts: tuple[frozenset[str], ...], *, key: str, example: str
) -> None:
    """Refuse a format that misses a part of the date or holds a code the engine does not read."""
    codes = set(re.findall(r"%-?(.?)", pattern))
    if codes <= _DIRECTIVES and all(codes & part for part in parts):
        return
    raise misuse(
        key,
        needed=f"a format with %Y or %y and the other parts of the date, such as {example}",
        found=repr(pattern),
        remedy="use %Y %y %m %b %B %d %j (and %H %M %S %f) as the file does",
    )
