"""What a mapping says of states: which code, which scheme, how much, seen or not, where."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from whatworks.sources.mapping.dates import DAY_PARTS, check_format
from whatworks.sources.mapping.strict import (
    Delimited,
    Guarded,
    OnProblem,
    State,
    Strict,
    check_type_keys,
)
from whatworks.sources.toml_problems import misuse

Decimal = Literal[".", ","]


class Listing(Delimited):
    """A file of values, such as the establishments of an approved list."""

    column: str
    """Header in the file."""


class Override(Strict):
    """A second column that decides for some rows, whatever the first says."""

    column: str
    """Header in the file."""
    values: dict[str, State] = Field(default_factory=dict)
    """Raw value to code; other values leave the row to the next override, then to ``column``."""
    listed_in: Listing | None = None
    """Instead of ``values``: rows whose value is in this file have ``code``."""
    code: State | None = None
    """Code of the rows that ``listed_in`` names."""

    @model_validator(mode="after")
    def _one_way(self) -> Override:
        if (self.listed_in is None) == (not self.values) or (self.listed_in is None) != (
            self.code is None
        ):
            raise misuse(
                "",
                needed="either 'values', or 'listed_in' with 'code'",
                found="another set of keys",
                remedy="keep one of the two ways",
            )
        return self


class Band(Strict):
    """Numbers of the column up to a bound, included."""

    code: State
    """Code of these numbers."""
    upto: float | None = None
    """None, in the last band only: every larger number."""


class CodeColumn(Strict):
    """How raw codes become the product's codes."""

    column: str | None = None
    """Header of the raw codes; in layout ``wide`` the columns of the months hold them."""
    constant: State | None = None
    """Instead of ``column``: every row has this code."""
    values: dict[str, State] = Field(default_factory=dict)
    """Raw code to code."""
    bands: tuple[Band, ...] = ()
    """Instead of ``values``: the column is a number, and its size decides."""
    decimal: Decimal = "."
    """For ``bands``: the decimal mark."""
    none: tuple[str, ...] = ()
    """Raw codes read and understood as *nothing to record*."""
    unmapped: OnProblem = "refuse"
    """Raw codes in no list: refuse the file, or leave such rows behind and count them."""
    overrides: tuple[Override, ...] = ()
    """Tried in order before everything above."""

    @property
    def written(self) -> tuple[str, ...]:
        """Every state the table can give, in the order declared."""
        own = (self.constant,) if self.constant else (*self.values.values(), *_codes(self.bands))
        others = [
            s
            for override in self.overrides
            for s in (
                *override.values.values(),
                *(() if override.code is None else (override.code,)),
            )
        ]
        return tuple(dict.fromkeys((*own, *others)))

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
        ways = [bool(self.values), bool(self.bands), self.constant is not None]
        if sum(ways) != 1:
            raise misuse(
                "",
                needed="one of 'values' (raw code to code), 'bands' and 'constant'",
                found="several" if sum(ways) else "none",
                remedy="keep exactly one of them",
            )
        unused = self.model_fields_set & {"column", "none", "unmapped"}
        if self.constant is not None and unused:
            raise misuse(
                min(unused),
                needed="'constant' without it: every row then has that code",
                found=f"'constant' beside {min(unused)!r}",
                remedy="remove one of the two",
            )
        _check_bands(self.bands)
        return self


def _codes(bands: tuple[Band, ...]) -> tuple[str, ...]:
    return tuple(band.code for band in bands)


def _check_bands(bands: tuple[Band, ...]) -> None:
    bounds = [band.upto for band in bands]
    known = [b for b in bounds if b is not None]
    if known != sorted(set(known)) or None in bounds[:-1]:
        raise misuse(
            "bands",
            needed="bands in increasing order of 'upto', the last one alone without",
            found="another order",
            remedy="reorder them",
        )


class Scheme(Guarded):
    """The local name of an accompaniment, beside its type."""

    values: dict[str, str] = Field(default_factory=dict)
    """Optional renaming; values not listed are kept as they are."""


class Amount(Guarded):
    """A number of each row: a dose (contacts, hours) or an income."""

    decimal: Decimal = "."
    """Decimal mark."""
    unit: str
    """Free text, printed: ``hours``, ``contacts``, ``EUR``."""


class Censoring(Strict):
    """Rows after which the source stops seeing the person: closed by a move, not by an exit."""

    column: str
    """Header in the file."""
    one_of: Annotated[tuple[str, ...], Field(min_length=1)]
    """Raw values that say so."""


class Place(Guarded):
    """Commune lived in during the row's month or stay."""

    strip: Literal["nothing", "spaces"] = "spaces"
    """Spaces around the code are not part of it."""
    width: int = 5
    """Leading zeros that the producer lost are put back."""


class Condition(Strict):
    """Rows to keep; the others are left behind and counted."""

    column: str
    """Header in the file."""
    one_of: tuple[str, ...] = ()
    """Rows with one of these values are kept."""
    none_of: tuple[str, ...] = ()
    """Rows with none of these values are kept."""
    above: float | None = None
    """The column is a number and larger than this; a row where it is no number is left behind."""
    decimal: Decimal = "."
    """Decimal mark."""
    reason: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = "filtered"
    """Word of the ledger for the rows left behind."""

    @model_validator(mode="after")
    def _one_test(self) -> Condition:
        tests = [bool(self.one_of), bool(self.none_of), self.above is not None]
        if sum(tests) != 1:
            raise misuse(
                "",
                needed="one of 'one_of', 'none_of' and 'above'",
                found="several" if sum(tests) else "none",
                remedy="keep exactly one of them; several conditions are several tables",
            )
        return self


class Keep(Strict):
    """Of rows with the same key, the one that counts; the others are left behind and counted."""

    by: Annotated[tuple[str, ...], Field(min_length=1)]
    """Columns of the key."""
    order: str | None = None
    """Column that decides; without it, the vintage of the file does. A row in which the column is
    blank gives way to any other."""
    which: Literal["first", "last"] = "last"
    """First or last in the order."""
    type: Literal["text", "number", "date"] = "text"
    """What is compared."""
    format: str = "%Y-%m-%d"
    """For ``date``: how it is written."""
    decimal: Decimal = "."
    """For ``number``: the decimal mark."""

    @model_validator(mode="after")
    def _fits_its_type(self) -> Keep:
        check_type_keys(self, self.type, dated="date")
        if "type" in self.model_fields_set and self.order is None:
            raise misuse(
                "type",
                needed="'type' only beside 'order'",
                found="no 'order'",
                remedy="name the column that decides, or remove the key",
            )
        if self.type == "date":
            check_format(self.format, DAY_PARTS, key="format", example="%d/%m/%Y")
        return self
