"""What a mapping says of who a row is about."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from whatworks.sources.mapping.dates import DAY_PARTS, DateColumn, check_format
from whatworks.sources.mapping.strict import Delimited, Name, OnProblem, Strict
from whatworks.sources.toml_problems import misuse


class Bridge(Delimited):
    """A file that leads from the identifier of the rows to the identifier of the person."""

    from_: Annotated[tuple[str, ...], Field(alias="from", min_length=1)]
    """Columns of the bridge equal to the source's own, in the same order."""
    to: str
    """Column of the bridge that identifies the person."""
    members: bool = False
    """True when one identifier leads to several persons (a household to its members): each of
    them then has the row. False: that is an error."""
    unmatched: OnProblem = "refuse"


class PersonKey(Strict):
    """Column or columns that identify the person in this file."""

    column: str | None = None
    columns_: Annotated[tuple[str, ...], Field(alias="columns")] = ()
    """Instead of ``column``: a composite identifier."""
    space: Annotated[str, Field(pattern=r"^([a-z][a-z0-9_]*)?$")] = ""
    """Sources of one space identify persons alike. Persons of different spaces are different until
    they are linked."""
    strip: Literal["nothing", "spaces", "spaces_and_zeros"] = "nothing"
    """What producers pad identifiers with and that is not part of them."""
    width: int | None = None
    """Pad with zeros on the left to this length, after ``strip``."""
    placeholders: tuple[str, ...] = ()
    """Identifiers that stand for nobody: such rows are left behind and counted."""
    via: Bridge | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Headers read."""
        return self.columns_ if self.column is None else (self.column,)

    @model_validator(mode="after")
    def _one_place(self) -> PersonKey:
        if (self.column is None) == (not self.columns_):
            raise misuse(
                "",
                needed="either 'column' or 'columns'",
                found="neither" if self.column is None else "both",
                remedy="keep exactly one of the two",
            )
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
    values: dict[str, Literal["F", "M", ""]]


class Identity(Strict):
    """What tells who a person is. Used to link persons, then dropped: it leaves no later trace."""

    nir: str | None = None
    birth_name: str | None = None
    usage_name: str | None = None
    first_names: tuple[str, ...] = ()
    birth_date: DateColumn | None = None
    sex: SexColumn | None = None
    birth_commune: str | None = None
    commune: str | None = None
    postcode: str | None = None
    email: str | None = None
    phone: str | None = None
    keys: dict[Name, str] = Field(default_factory=dict)
    """Identifiers of other systems held in this file, by the name of their space."""

    @model_validator(mode="after")
    def _dated(self) -> Identity:
        if self.birth_date is not None:
            check_format(
                self.birth_date.format, DAY_PARTS, key="birth_date.format", example="%d/%m/%Y"
            )
        return self


class Household(Strict):
    """Columns that identify the household of the person."""

    columns: Annotated[tuple[str, ...], Field(min_length=1)]


class Objections(Delimited):
    """Persons who object to their data being used: their rows are left behind and counted."""

    column: str
    space: Annotated[str, Field(pattern=r"^([a-z][a-z0-9_]*)?$")] = ""


class Linkage(Strict):
    """How persons of different spaces are recognised as one."""

    secret_env: str | None = None
    """Name of the environment variable that holds the secret of the keyed hash."""
    secret_file: str | None = None
    """Instead: path of a file that holds it, relative to the mapping file."""
    keys: tuple[tuple[str, ...], ...] = ()
    """Deterministic keys tried after the NIR, each a list of fields of ``identity`` or spaces."""
    probabilistic: bool = True
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
