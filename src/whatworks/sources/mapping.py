"""The mapping file: one table of a TOML file per raw source, read and checked before any data.

Every key is declared below; an unknown one is an error that names the file, the key and the
nearest key that exists. ``docs/reference/mapping.md`` shows the language by example.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from whatworks.errors import MappingError, suggestion
from whatworks.vocabulary import Kind

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
MonthLabel = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
State = Annotated[str, Field(pattern=r"^([a-z]+:)?[a-z][a-z0-9_]*$")]
"""``code``, or ``kind:code`` in a source whose rows are of several kinds."""
OnProblem = Literal["refuse", "count"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PersonKey(_Strict):
    """Column that identifies the person in this file."""

    column: str


class DateColumn(_Strict):
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


class MonthColumns(_Strict):
    """Wide layout: every column whose header is a month under this pattern holds that month's code."""

    pattern: str


class CodeColumn(_Strict):
    """How raw codes become the product's codes."""

    column: str | None = None
    constant: State | None = None
    values: dict[str, State] = Field(default_factory=dict)
    none: tuple[str, ...] = ()
    """Raw codes read and understood as *nothing to record*."""
    unmapped: OnProblem = "refuse"


class Attribute(_Strict):
    """A characteristic of the person, fixed before any accompaniment."""

    column: str
    type: Literal["category", "number", "boolean", "month"]
    format: str = "%Y-%m"
    """For ``month``: how it is written."""
    values: dict[str, str] = Field(default_factory=dict)
    """Optional renaming of raw values; for ``boolean``, raw value to ``"1"`` or ``"0"``."""


class Source(_Strict):
    """One kind of raw file."""

    layout: Literal["persons", "spells", "snapshots", "wide"]
    files: str
    """Glob, relative to the mapping file."""
    encoding: str = "utf-8"
    separator: str = ";"
    quote: str = '"'
    final_newline: Literal["required", "optional"] = "required"
    """A last line without its line break is how a file cut in the middle looks."""
    person: PersonKey
    kind: Kind | None = None
    coverage: tuple[MonthLabel, MonthLabel] | None = None
    start: DateColumn | None = None
    end: EndColumn | None = None
    month: DateColumn | None = None
    months: MonthColumns | None = None
    code: CodeColumn | None = None
    attributes: dict[Name, Attribute] = Field(default_factory=dict)
    end_before_start: OnProblem = "refuse"
    duplicates: OnProblem = "refuse"
    declared_by_operator: bool = False
    """True when the evaluated operator itself is the only witness of these rows."""

    @model_validator(mode="after")
    def _layout_has_its_keys(self) -> Source:
        needs = {
            "persons": ("attributes",),
            "spells": ("kind", "start", "end", "code", "coverage"),
            "snapshots": ("kind", "month", "code"),
            "wide": ("months", "code"),
        }[self.layout]
        missing = [key for key in needs if not getattr(self, key)]
        if missing:
            raise ValueError(f"layout {self.layout!r} needs the key {missing[0]!r}")
        return self


class Mapping(_Strict):
    """The whole file."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    title: str = ""
    sources: dict[Name, Source]
