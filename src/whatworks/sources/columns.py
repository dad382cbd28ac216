"""What a mapping file says of one column: who, when, which state, which characteristic."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from whatworks.sources.toml_problems import misuse

State = Annotated[str, Field(pattern=r"^([a-z]+:)?[a-z][a-z0-9_]*$")]
"""``code``, or ``kind:code`` in a source whose rows are of several kinds."""
OnProblem = Literal["refuse", "count"]

DAY_PARTS: Final = (frozenset("Yy"), frozenset("mbBj"), frozenset("dj"))
MONTH_PARTS: Final = (frozenset("Yy"), frozenset("mbB"))
_DIRECTIVES: Final = frozenset("YymbBdjHMSf%")


class Strict(BaseModel):
    """A table whose keys are all known and whose values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PersonKey(Strict):
    """Column that identifies the person in this file."""

    column: str


class DateColumn(Strict):
    """A date and how it is written (``strptime`` codes)."""

    column: str
    format: str = "%Y-%m-%d"


class EndColumn(DateColumn):
    """The end of a spell and the conventions of its producer."""

    bound: Literal["inclusive", "exclusive"] = "inclusive"
    open: tuple[str, ...] = ("",)
    """Raw values that mean *not ended*."""
    sentinel: tuple[str, ...] = ()
    """Raw values that stand for *no end known*, e.g. ``2040-01-01``."""


class MonthColumns(Strict):
    """Wide layout: each column whose header is a month under this pattern holds its codes."""

    pattern: str

    @field_validator("pattern")
    @classmethod
    def _a_month(cls, pattern: str) -> str:
        check_format(pattern, MONTH_PARTS, key="", example="%b.%y")
        return pattern


class CodeColumn(Strict):
    """How raw codes become the product's codes."""

    column: str | None = None
    constant: State | None = None
    values: dict[str, State] = Field(default_factory=dict)
    none: tuple[str, ...] = ()
    """Raw codes read and understood as *nothing to record*."""
    unmapped: OnProblem = "refuse"

    @model_validator(mode="after")
    def _says_one_thing(self) -> CodeColumn:
        both = [raw for raw in self.none if raw in self.values]
        if both:
            raise misuse(
                "none",
                needed="raw codes either in 'values' or in 'none'",
                found=f"{both[0]!r} in both",
                remedy="keep it in one of the two",
            )
        if (self.constant is None) == (not self.values):
            raise misuse(
                "",
                needed="either 'values' (raw code to code) or 'constant'",
                found="both" if self.values else "neither",
                remedy="keep exactly one of the two",
            )
        unused = self.model_fields_set & {"column", "none", "unmapped"}
        if self.constant is not None and unused:
            raise misuse(
                min(unused),
                needed="'constant' alone: every row then has that code",
                found=f"'constant' beside {min(unused)!r}",
                remedy="remove one of the two",
            )
        return self


class Attribute(Strict):
    """A characteristic of the person, fixed before any accompaniment."""

    column: str
    type: Literal["category", "number", "boolean", "month"]
    format: str = "%Y-%m"
    """For ``month``: how it is written."""
    decimal: Literal[".", ","] = "."
    """For ``number``: the decimal mark."""
    values: dict[str, str] = Field(default_factory=dict)
    """Optional renaming of raw values: ``""`` for unknown; for ``boolean``, ``"1"`` or ``"0"``."""
    unmapped: OnProblem = "refuse"
    """For a ``category`` that is renamed: raw values that ``values`` does not list."""

    @property
    def renamed(self) -> bool:
        """Whether ``values`` says which categories there are, not only what stands for unknown."""
        return self.type == "category" and any(self.values.values())

    @model_validator(mode="after")
    def _fits_its_type(self) -> Attribute:
        for key, kind in (("format", "month"), ("decimal", "number")):
            if key in self.model_fields_set and self.type != kind:
                raise misuse(
                    key,
                    needed=f"{key!r} only where type is {kind!r}",
                    found=f"type {self.type!r}",
                    remedy="remove the key or correct the type",
                )
        if "unmapped" in self.model_fields_set and not self.renamed:
            raise misuse(
                "unmapped",
                needed="'unmapped' only where 'values' renames the values of a category",
                found=f"type {self.type!r} without such a renaming",
                remedy="remove the key, or list the categories under 'values'",
            )
        if self.type == "month":
            check_format(self.format, MONTH_PARTS, key="format", example="%Y-%m")
        wrong = [
            v for v in self.values.values() if self.type == "boolean" and v not in ("1", "0", "")
        ]
        if wrong:
            raise misuse(
                "values",
                needed="'1', '0' or '' for every raw value of a boolean",
                found=repr(wrong[0]),
                remedy="write '1' for true, '0' for false, '' for unknown",
            )
        return self


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
