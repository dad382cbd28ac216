"""What the reliability gate asks: thresholds, declared breaks, independent counts, waivers, in a file.

The packaged defaults (``gate.toml``) are proposals; a user's file overrides them key by key, and what
was used is printed with every verdict.
"""

from __future__ import annotations

import datetime as dt
import math
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from whatworks.errors import OptionError, suggestion
from whatworks.months import to_index
from whatworks.sources.mapping.strict import MonthLabel, Name, Strict
from whatworks.sources.toml_problems import misuse, plain_problem
from whatworks.vocabulary import GateVerdict, Kind

ANY: Final = "*"
_PACKAGED: Final = files("whatworks.indicators").joinpath("gate.toml").read_text(encoding="utf-8")
_DEFAULTS: Final[Mapping[str, Any]] = MappingProxyType(tomllib.loads(_PACKAGED))
THRESHOLDS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        name: (float(bounds["reserve"]), float(bounds["refuse"]))
        for name, bounds in _DEFAULTS["thresholds"].items()
    }
)
"""Packaged thresholds: above which a criterion calls for a reserve, and for a refusal."""

COUNTS: Final = frozenset({"declared_breaks", "volatility", "single_declarant", "completeness"})
"""Criteria that are not shares of something: their thresholds may exceed 1."""

_NOISE: Final = 1e-9
"""Far less than one person of a country, far more than what binary fractions lose."""


def above(measured: float, threshold: float) -> bool:
    """Whether a share is above a threshold, and not merely written so by binary fractions.

    >>> 1 - 950 / 1000 > 0.05, above(1 - 950 / 1000, 0.05)
    (True, False)
    """
    return measured > threshold + _NOISE


class Bounds(Strict):
    """Thresholds of one criterion."""

    reserve: Annotated[float, Field(ge=0)] = 0.0
    refuse: Annotated[float, Field(ge=0)] = math.inf

    def verdict(self, measured: float, *, refusable: bool = True) -> GateVerdict:
        """Answer of one criterion on what it measured."""
        if refusable and above(measured, self.refuse):
            return GateVerdict.REFUSED
        return GateVerdict.WITH_RESERVE if above(measured, self.reserve) else GateVerdict.PUBLISHED


class Volatility(Strict):
    """When a change from one month to the next is a jump."""

    robust_sd: Annotated[float, Field(gt=0)] = 6.0
    smallest_jump: Annotated[float, Field(ge=0, le=1)] = 0.01
    fewest_months: Annotated[int, Field(ge=3)] = 24
    fewest_persons: Annotated[int, Field(ge=1)] = 100


class Break(Strict):
    """A change of definition, coverage or rule that somebody declares."""

    sources: Annotated[tuple[Name, ...], Field(min_length=1)]
    month: MonthLabel
    description: Annotated[str, Field(min_length=1)]


class Expected(Strict):
    """An independent count of the persons a source should show in a state, in one month."""

    source: Name
    state: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """Column of the panel: ``benefit_rsa``, or a kind."""
    month: MonthLabel
    expected: Annotated[int, Field(ge=1)]
    origin: Annotated[str, Field(min_length=1)]
    """Who counted: printed."""


class Waiver(Strict):
    """A named person takes it upon them to publish, with a reserve, what a criterion refuses."""

    criterion: str
    indicator: str = ANY
    source: str = ANY
    by: Annotated[str, Field(min_length=3)]
    on: dt.date
    why: Annotated[str, Field(min_length=10)]

    @field_validator("criterion")
    @classmethod
    def _can_be_waived(cls, criterion: str) -> str:
        return _known(criterion, what="a criterion that can be waived")

    def covers(self, criterion: str, indicator: str, sources: tuple[str, ...]) -> bool:
        """Whether the waiver speaks of this refusal."""
        return (
            self.criterion == criterion
            and self.indicator in (ANY, indicator)
            and (self.source == ANY or self.source in sources)
        )


class Gate(Strict):
    """What is asked of an outcome before it is published: a gate file over the packaged defaults.

    Examples
    --------
    >>> Gate.default().thresholds["unlinked"].refuse
    0.15
    """

    schema_: Annotated[Literal[1], Field(alias="schema")]
    smallest_cell: Annotated[int, Field(ge=1)] = 11
    thresholds: dict[str, Bounds] = Field(default_factory=dict)
    volatility: Volatility = Volatility()
    lags: dict[Name, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    """Months after which a source is definitive, where its mapping does not say it."""
    paid_on: tuple[Kind, ...] = ()
    """Kinds of state on which the evaluated operator's own payment depends."""
    breaks: tuple[Break, ...] = ()
    completeness: tuple[Expected, ...] = ()
    waivers: tuple[Waiver, ...] = ()

    @field_validator("thresholds")
    @classmethod
    def _known_criteria(cls, thresholds: dict[str, Bounds]) -> dict[str, Bounds]:
        for name in thresholds:
            _known(name, what="one of the criteria", key=name)
        return thresholds

    @model_validator(mode="after")
    def _in_order(self) -> Gate:
        for name, bounds in self.thresholds.items():
            if name not in COUNTS and max(bounds.reserve, _finite(bounds.refuse)) > 1:
                raise misuse(
                    f"thresholds.{name}",
                    needed="shares from 0 to 1: 0.15 for 15 %",
                    found=f"reserve above {bounds.reserve:g}, refusal above {bounds.refuse:g}",
                    remedy="divide percentages by 100, or write refuse = inf to never refuse",
                )
            if bounds.reserve > bounds.refuse:
                raise misuse(
                    f"thresholds.{name}",
                    needed="a reserve that comes before the refusal",
                    found=f"reserve above {bounds.reserve:g}, refusal above {bounds.refuse:g}",
                    remedy="lower 'reserve' or raise 'refuse'",
                )
        return self

    @classmethod
    def default(cls) -> Gate:
        """The packaged gate."""
        return cls.model_validate(dict(_DEFAULTS))

    @classmethod
    def load(cls, path: str | Path) -> Gate:
        """Read a gate file over the packaged defaults.

        Parameters
        ----------
        path : path
            A TOML file in UTF-8. What it does not say keeps its default; its breaks, counts and
            waivers are added.

        Returns
        -------
        Gate

        Raises
        ------
        OptionError
            When the file cannot be read, is not TOML, or has a key or a value the gate does not
            know. Names the key and its line.
        """
        place = Path(path)
        try:
            text = place.read_text(encoding="utf-8-sig")
            given = tomllib.loads(text)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            raise OptionError(
                what=str(place),
                needed="a gate file: TOML in UTF-8",
                found=(reason or f"text that is not that ({type(error).__name__})").lower(),
                remedy="check the path, or correct the file",
            ) from None
        try:
            cls.model_validate({**given, "thresholds": _whole(given.get("thresholds", {}))})
            return cls.model_validate(_over(_DEFAULTS, given))
        except ValidationError as error:
            needed, found, remedy = plain_problem(error, text, cls)
            raise OptionError(what=str(place), needed=needed, found=found, remedy=remedy) from None

    @property
    def sources(self) -> frozenset[str]:
        """Sources that a user's file speaks of; those of packaged breaks are left out."""
        packaged = Gate.default().breaks
        breaks = [declared for declared in self.breaks if declared not in packaged]
        return frozenset(
            (
                *self.lags,
                *(source for declared in breaks for source in declared.sources),
                *(count.source for count in self.completeness),
                *(waiver.source for waiver in self.waivers if waiver.source != ANY),
            )
        )

    def bounds(self, criterion: str) -> Bounds:
        """Thresholds of a criterion."""
        return self.thresholds[criterion]

    def breaks_between(self, source: str, first: int, last: int) -> tuple[Break, ...]:
        """Declared breaks of a source strictly inside a window: both of its sides are seen."""
        return tuple(
            b for b in self.breaks if source in b.sources and first < to_index(b.month) <= last
        )


def _finite(bound: float) -> float:
    """A threshold, or 0 when it never applies."""
    return 0.0 if math.isinf(bound) else bound


def _known(criterion: str, *, what: str, key: str = "") -> str:
    if criterion in THRESHOLDS:
        return criterion
    raise misuse(
        key,
        needed=f"{what}: {', '.join(THRESHOLDS)}",
        found=repr(criterion),
        remedy=suggestion(criterion, THRESHOLDS) or "choose one of those",
    )


def _whole(thresholds: Any) -> Any:
    """Thresholds a user gives, those of known criteria completed by their defaults."""
    if not isinstance(thresholds, dict):
        return thresholds
    known = _DEFAULTS["thresholds"]
    return {
        name: {**known.get(name, {}), **given} if isinstance(given, dict) else given
        for name, given in thresholds.items()
    }


def _over(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults overridden key by key; lists are added to."""
    merged = dict(defaults)
    for key, value in given.items():
        before = merged.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            merged[key] = _over(before, value)
        elif isinstance(before, list) and isinstance(value, list):
            merged[key] = [*before, *value]
        else:
            merged[key] = value
    return merged
