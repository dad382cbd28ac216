"""What a mapping says of territories: communes, what they belong to, and how tight their market is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from whatworks.sources.mapping.dates import MONTH_PARTS, DateColumn, check_format
from whatworks.sources.mapping.states import Decimal
from whatworks.sources.mapping.strict import Delimited, Strict


class Communes(Delimited):
    """Crosswalk of one geography: each commune once."""

    commune: str
    zone: str
    """Column of the employment zone."""
    departement: str


class Changes(Delimited):
    """Communes of other vintages and the one they became."""

    old: str
    new: str


class TightnessColumn(Strict):
    """Vacancies per job seeker."""

    column: str
    decimal: Decimal = "."


class Tightness(Delimited):
    """Tightness of each zone or département, month by month."""

    level: Literal["zone", "departement"] = "zone"
    place: str
    month: DateColumn
    value: TightnessColumn

    @model_validator(mode="after")
    def _dated(self) -> Tightness:
        check_format(self.month.format, MONTH_PARTS, key="month.format", example="%Y-%m")
        return self


class Territories(Strict):
    """``[territories]`` of a mapping file."""

    geography: Annotated[str, Field(pattern=r"^\d{4}$")]
    """Year of the official code of communes, to which every place is brought."""
    communes: Communes
    changes: Changes | None = None
    tightness: Tightness | None = None
