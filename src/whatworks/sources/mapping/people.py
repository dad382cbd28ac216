"""What a mapping says of who a row is about."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from whatworks.sources.mapping.dates import DAY_PARTS, DateColumn, check_format
from whatworks.sources.mapping.strict import Delimited, Name, OnProblem, Strict
from whatworks.sources.toml_problems import misuse

IDENTITY_TEXTS: Final = (
    "nir",
    "birth_name",
    "usage_name",
    "birth_commune",
    "commune",
    "postcode",
    "email",
    "phone",
)
"""Fields of an identity that are one column of text each."""


class Bridge(Delimited):
    """A file that leads from the identifier of the rows to the identifier of the person."""

    from_: Annotated[tuple[str, ...], Field(alias="from", min_length=1)]
    """Columns of the bridge equal to the source's own, in the same order. ``strip`` and ``width`` of
    the person apply to both."""
    to: str
    """Column of the bridge that identifies the person."""
    members: bool = False
    """True when one identifier leads to several persons (a household to its members): each of
    them then has the row. False: that is an error."""
    unmatched: OnProblem = "refuse"
    """Rows whose identifier is not in the bridge."""


class Padded(Strict):
    """What producers pad identifiers with and that is not part of them."""

    strip: Literal["nothing", "spaces", "spaces_and_zeros"] = "nothing"
    """Spaces around, zeros before."""
    width: Annotated[int | None, Field(ge=1)] = None
    """Pad with zeros on the left to this length, after ``strip``."""


class Identifier(Padded):
    """Column or columns that identify a person, and how they are written."""

    column: str | None = None
    """Header in the file."""
    columns_: Annotated[tuple[str, ...], Field(alias="columns")] = ()
    """Instead of ``column``: a composite identifier."""
    space: Annotated[str, Field(pattern=r"^([a-z][a-z0-9_]*)?$")] = ""
    """Sources of one space identify persons alike. Persons of different spaces are different until
    they are linked."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Headers read."""
        return self.columns_ if self.column is None else (self.column,)

    @model_validator(mode="after")
    def _one_place(self) -> Identifier:
        if (self.column is None) == (not self.columns_):
            raise misuse(
                "",
                needed="either 'column' or 'columns'",
                found="neither" if self.column is None else "both",
                remedy="keep exactly one of the two",
            )
        return self


class PersonKey(Identifier):
    """Column or columns that identify the person in this file."""

    placeholders: tuple[str, ...] = ()
    """Identifiers that stand for nobody: such rows are left behind and counted."""
    via: Bridge | None = None
    """A file that leads from these columns to the person."""

    @model_validator(mode="after")
    def _bridge_fits(self) -> PersonKey:
        if self.via is not None and len(self.via.from_) != len(self.columns):
            raise misuse(
                "via.from",
                needed=f"as many columns as identify the rows, {len(self.columns)}",
                found=str(len(self.via.from_)),
                remedy="name the columns of the bridge in the same order",
            )
        return self


class SexColumn(Strict):
    """Sex as a register writes it."""

    column: str
    """Header in the file."""
    values: dict[str, Literal["F", "M", ""]]
    """Raw value to ``F``, ``M``, or nothing when unknown."""


class Identity(Strict):
    """What tells who a person is. Used to link persons, then dropped: it leaves no later trace."""

    nir: str | None = None
    """Number of social security, of 13 or 15 characters."""
    birth_name: str | None = None
    """Family name at birth."""
    usage_name: str | None = None
    """Family name in use."""
    first_names: tuple[str, ...] = ()
    """Columns of first names, in their order."""
    birth_date: DateColumn | None = None
    """Day of birth."""
    sex: SexColumn | None = None
    """Sex."""
    birth_commune: str | None = None
    """Commune of birth."""
    commune: str | None = None
    """Commune lived in."""
    postcode: str | None = None
    """Postcode lived in."""
    email: str | None = None
    """Electronic address."""
    phone: str | None = None
    """Telephone number."""
    keys: dict[Name, str] = Field(default_factory=dict)
    """Identifiers of other systems held in this file, by the name of their space."""

    @model_validator(mode="after")
    def _says_something(self) -> Identity:
        if not self.columns:
            raise misuse(
                "",
                needed="at least one field of an identity, such as nir or birth_name",
                found="none",
                remedy="add one, or remove the table",
            )
        if self.birth_date is not None:
            check_format(
                self.birth_date.format, DAY_PARTS, key="birth_date.format", example="%d/%m/%Y"
            )
        return self

    @property
    def columns(self) -> dict[str, tuple[str, ...]]:
        """Headers read, by the field they make; ``key_NAME`` for identifiers of other systems."""
        plain = {name: getattr(self, name) for name in IDENTITY_TEXTS}
        read = {
            **{name: () if column is None else (column,) for name, column in plain.items()},
            "first_names": self.first_names,
            "birth_date": () if self.birth_date is None else self.birth_date.columns,
            "sex": () if self.sex is None else (self.sex.column,),
            **{f"key_{space}": (column,) for space, column in self.keys.items()},
        }
        return {name: columns for name, columns in read.items() if columns}


class Household(Padded):
    """Columns that identify the household of the person."""

    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    """Headers in the file."""


class Objections(Delimited, Identifier):
    """Persons who object to their data being used: their rows are left behind and counted.

    Their identifiers are those of the sources of ``space``, after ``person.via`` where there is one.
    """


class Linkage(Strict):
    """How persons of different spaces are recognised as one."""

    secret_env: str | None = None
    """Name of the environment variable that holds the secret of the keyed hash."""
    secret_file: str | None = None
    """Instead: path of a file that holds it, relative to the mapping file."""
    keys: tuple[tuple[str, ...], ...] = ()
    """Deterministic keys tried after the NIR, each a list of fields of ``identity`` or spaces."""
    probabilistic: bool = True
    """Whether records without a key in common are compared."""
    threshold: Annotated[float, Field(gt=0.5, lt=1)] = 0.99
    """Probability from which two records are one person."""

    @model_validator(mode="after")
    def _one_secret(self) -> Linkage:
        if self.secret_env is not None and self.secret_file is not None:
            raise misuse(
                "secret_file",
                needed="the secret from one place",
                found="'secret_env' and 'secret_file'",
                remedy="keep one of the two",
            )
        return self
