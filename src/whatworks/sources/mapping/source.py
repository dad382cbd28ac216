"""One raw source, as a mapping file describes it: one table ``[sources.NAME]``."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from whatworks.errors import suggestion
from whatworks.sources.mapping.attributes import Attribute
from whatworks.sources.mapping.dates import (
    DAY_PARTS,
    MONTH_PARTS,
    DateColumn,
    EndColumn,
    MonthColumns,
    Vintage,
    check_format,
)
from whatworks.sources.mapping.markup import Markup
from whatworks.sources.mapping.people import Household, Identity, PersonKey
from whatworks.sources.mapping.states import (
    Amount,
    Censoring,
    CodeColumn,
    Condition,
    Keep,
    Place,
    Scheme,
)
from whatworks.sources.mapping.strict import Delimited, MonthLabel, Name, OnProblem
from whatworks.sources.toml_problems import misuse
from whatworks.vocabulary import NONE, Kind

LayoutName = Literal["persons", "spells", "snapshots", "wide"]
FormatName = Literal["csv", "parquet", "xml"]
AUTO: Final = "auto"
"""Last month of a coverage that is read off the files: the vintage less the known lag, or the last
month seen."""
MonthOrAuto = Annotated[str, Field(pattern=r"^(\d{4}-(0[1-9]|1[0-2])|auto)$")]

_STATE_KEYS: Final = ("kind", "strangers", "declared_by_operator", "scheme", "intensity")
_NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "persons": (),
    "spells": ("start", "end", "code", "coverage"),
    "snapshots": ("month",),
    "wide": ("months", "code"),
}
"""Keys a layout cannot do without."""
_ALSO: Final[dict[str, tuple[str, ...]]] = {
    "persons": ("place",),
    "spells": (*_STATE_KEYS, "end_before_start", "truncate", "gap_days", "censored_by", "place"),
    "snapshots": (
        *(*_STATE_KEYS, "code", "coverage", "measures", "gap_months", "censored_by", "place"),
    ),
    "wide": ("kind", "strangers", "declared_by_operator", "coverage", "gap_months"),
}
"""Keys a layout has a use for."""
_OF_TEXT: Final = frozenset({"encoding", "separator", "quote", "final_newline"})
"""Keys that only files of text have a use for."""
_BY_LAYOUT: Final = frozenset(
    key for table in (_NEEDED, _ALSO) for t in table.values() for key in t
)


class Source(Delimited):
    """One kind of raw file."""

    layout: LayoutName
    """How rows are laid out."""
    format: FormatName = "csv"
    """How files are written."""
    xml: Markup | None = None
    """Format ``xml``: which elements are rows and columns."""
    vintage: Vintage | None = None
    """When extracts were made."""
    lag_months: Annotated[int, Field(ge=0)] = 0
    """Months before the vintage in which the source is known not to be complete yet."""
    where: tuple[Condition, ...] = ()
    """Conditions on rows; those that do not meet one are left behind and counted."""
    keep: Keep | None = None
    """Of rows with the same key, the one that counts."""
    person: PersonKey
    """Whom a row is about."""
    identity: Identity | None = None
    """Who the person is, for the linkage of persons."""
    household: Household | None = None
    """Whom the person lives with."""
    kind: Kind | None = None
    """What the states are, unless every code is written ``kind:code``."""
    coverage: tuple[MonthLabel, MonthOrAuto] | None = None
    """First and last month over which the source would have seen a state."""
    start: DateColumn | None = None
    """First day of a stay."""
    end: EndColumn | None = None
    """Last day of a stay."""
    truncate: bool = False
    """A stay ends at the latest the day before the person's next one in this source begins."""
    gap_days: Annotated[int, Field(ge=0)] = 0
    """Two stays of a person in one state at most so many days apart are one."""
    gap_months: Annotated[int, Field(ge=0)] = 0
    """Months without a row that do not end a stay, when a later row shows the same state."""
    month: DateColumn | None = None
    """Month of a row."""
    months: MonthColumns | None = None
    """Columns of the months."""
    code: CodeColumn | None = None
    """What raw codes mean."""
    scheme: Scheme | None = None
    """Local name of a state."""
    intensity: Amount | None = None
    """Dose of a state: hours, contacts."""
    measures: dict[Name, Amount] = Field(default_factory=dict)
    """Layout ``snapshots``: numbers of the month, such as an income."""
    censored_by: Censoring | None = None
    """Rows after which the source no longer sees the person."""
    place: Place | None = None
    """Commune lived in."""
    attributes: dict[Name, Attribute] = Field(default_factory=dict)
    """Characteristics of the person found in this file."""
    end_before_start: OnProblem = "refuse"
    """Stays that end before they start."""
    duplicates: OnProblem = "refuse"
    """Rows equal in every column."""
    strangers: OnProblem = "refuse"
    """Rows of persons unknown to the sources with attributes, when more than a few."""
    declared_by_operator: bool = False
    """True when the evaluated operator itself is the only witness of these rows."""

    @model_validator(mode="after")
    def _layout_has_its_keys(self) -> Source:
        for key in _NEEDED[self.layout]:
            if not getattr(self, key):
                raise misuse(
                    key,
                    needed=f"the key {key!r}, which layout {self.layout!r} reads",
                    found="none",
                    remedy=f"add {key!r} there",
                )
        allowed = {*_NEEDED[self.layout], *_ALSO[self.layout], "attributes"}
        for key in sorted(self.model_fields_set & _BY_LAYOUT - allowed):
            raise misuse(
                key,
                needed=f"keys that layout {self.layout!r} reads",
                found=f"{key!r}",
                remedy="remove it or correct the layout",
            )
        return self

    @model_validator(mode="after")
    def _keys_agree(self) -> Source:
        if (
            self.coverage is not None
            and self.coverage[1] != AUTO
            and self.coverage[1] < self.coverage[0]
        ):
            raise misuse(
                "coverage",
                needed="a first month, then a last month not before it",
                found=" to ".join(self.coverage),
                remedy="exchange or correct the two months",
            )
        for key in ("start", "end"):
            if (day := getattr(self, key)) is not None:
                check_format(day.format, DAY_PARTS, key=f"{key}.format", example="%d/%m/%Y")
        if self.month is not None:
            check_format(self.month.format, MONTH_PARTS, key="month.format", example="%Y-%m")
        return self

    @model_validator(mode="after")
    def _says_something(self) -> Source:
        if self.layout == "persons" and not (self.attributes or self.identity or self.place):
            raise misuse(
                "attributes",
                needed="'attributes', 'identity' or 'place', which layout 'persons' reads",
                found="none",
                remedy="add one of them",
            )
        if self.layout == "snapshots" and self.code is None and not (self.measures or self.place):
            raise misuse(
                "code",
                needed="'code', 'measures' or 'place', which layout 'snapshots' reads",
                found="none",
                remedy="add one of them",
            )
        if (self.format == "xml") != (self.xml is not None):
            raise misuse(
                "xml",
                needed="the table 'xml' with format 'xml', and with no other",
                found=f"format {self.format!r} {'with' if self.xml else 'without'} it",
                remedy="add the table or correct the format",
            )
        if self.format != "csv":
            for key in sorted(self.model_fields_set & _OF_TEXT):
                raise misuse(
                    key,
                    needed="keys that say how text is cut into fields with format 'csv' only",
                    found=f"{key!r} with format {self.format!r}",
                    remedy="remove it or correct the format",
                )
        return self

    @model_validator(mode="after")
    def _vintages_fit(self) -> Source:
        by_month = self.vintage is not None and self.vintage.supersedes == "months"
        if by_month and self.layout != "snapshots":
            raise misuse(
                "vintage.supersedes",
                needed="'months' in layout 'snapshots' only, whose rows have a month",
                found=f"layout {self.layout!r}",
                remedy="write 'all' if the newest file holds everything, else 'nothing'",
            )
        if self.keep is not None and self.keep.order is None and self.vintage is None:
            raise misuse(
                "keep.order",
                needed="the column that decides, or a 'vintage' of the files",
                found="neither",
                remedy="add one of the two",
            )
        return self

    @model_validator(mode="after")
    def _one_person_has_an_identity(self) -> Source:
        if self.identity is not None and self.person.via is not None and self.person.via.members:
            raise misuse(
                "identity",
                needed="'identity' only where a row is about one person",
                found="'person.via.members', which gives a row to several",
                remedy="map 'identity' in the source that lists the members",
            )
        return self

    @model_validator(mode="after")
    def _code_fits_layout(self) -> Source:
        if self.code is None:
            return self
        second = self.code.constant or self.code.column or self.code.overrides
        if self.layout == "wide" and second:
            raise misuse(
                "code",
                needed="'values' alone: in layout 'wide' the months' columns hold the codes",
                found="'constant', 'column' or 'overrides'",
                remedy="remove it and list raw codes in 'values'",
            )
        if (
            self.layout != "wide"
            and (self.code.values or self.code.bands)
            and self.code.column is None
        ):
            raise misuse(
                "code.column",
                needed="the column that holds the raw codes",
                found="none",
                remedy="add 'column' there",
            )
        for text in self._written_states():
            self._check_state(text)
        return self

    def _check_state(self, text: str) -> None:
        kind, _, code = text.rpartition(":")
        if not kind and self.kind is None:
            raise misuse(
                "code",
                needed="'kind' for the source, or every code written kind:code",
                found=f"{text!r} without a kind",
                remedy=f"write for instance employment:{text}",
            )
        if kind and kind not in list(Kind):
            raise misuse(
                "code",
                needed=f"one of the kinds {', '.join(Kind)} before the colon",
                found=repr(text),
                remedy=suggestion(kind, Kind) or "choose one of those",
            )
        if code == NONE:
            raise misuse(
                "code",
                needed="codes that name a state",
                found=f"the code {NONE!r}",
                remedy="list under code.none the raw codes that mean nothing to record",
            )

    def _written_states(self) -> tuple[str, ...]:
        return () if self.code is None else self.code.written

    def state(self, text: str) -> tuple[str, str]:
        """Kind and code of a state as the mapping writes it."""
        kind, _, code = text.rpartition(":")
        return kind or str(self.kind), code

    @property
    def states(self) -> tuple[tuple[str, str], ...]:
        """Every kind and code this source can produce, once, in the order declared."""
        return tuple(dict.fromkeys(map(self.state, self._written_states())))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind this source can produce."""
        return tuple(dict.fromkeys(kind for kind, _ in self.states))
