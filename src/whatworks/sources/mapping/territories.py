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
    """Column of the commune."""
    zone: str
    """Column of the employment zone."""
    departement: str
    """Column of the département."""


class Changes(Delimited):
    """Communes of other vintages and the one they became."""

    old: str
    """Column of the former commune."""
    new: str
    """Column of the one it became."""


class TightnessColumn(Strict):
    """Vacancies per job seeker."""

    column: str
    """Header in the file."""
    decimal: Decimal = "."
    """Decimal mark."""


class Tightness(Delimited):
    """Tightness of each zone or département, month by month."""

    level: Literal["zone", "departement"] = "zone"
    """What ``place`` is."""
    place: str
    """Column of the zone or département."""
    month: DateColumn
    """Month of the value."""
    value: TightnessColumn
    """Column of the tightness."""

    @model_validator(mode="after")
    def _dated(self) -> Tightness:
        check_format(self.month.format, MONTH_PARTS, key="month.format", example="%Y-%m")
        return self


class Territories(Strict):
    """``[territories]`` of a mapping file."""

    geography: Annotated[str, Field(pattern=r"^\d{4}$")]
    """Year of the official code of communes, to which every place is brought."""
    communes: Communes
    """Which communes there are, and what they belong to."""
    changes: Changes | None = None
    """Communes of other years."""
    tightness: Tightness | None = None
    """How tight the market of each place is."""
