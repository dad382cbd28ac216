"""What an indicator is, what it needs to see, and what a refusal says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import ibis

from whatworks.panel.record import Panel
from whatworks.vocabulary import MEASURE, Nature, Role, state_column

Facts = Mapping[str, str | int | float]

USES: Final[Mapping[Nature, frozenset[Role]]] = MappingProxyType(
    {
        Nature.OUTCOME: frozenset({Role.RESULT}),
        Nature.ACTIVITY: frozenset({Role.DOSE, Role.COST}),
        Nature.INPUT: frozenset({Role.DOSE, Role.COST}),
        Nature.PROCESS: frozenset({Role.DOSE}),
        Nature.DESCRIPTION: frozenset(),
        Nature.UNOBSERVED: frozenset(),
    }
)
"""What a measure of each nature may serve as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a panel shows, or what a mapping promises before anything is read.

    Parameters
    ----------
    states : mapping of kind to tuple of codes
    measures : frozenset of str
        Names of the numbers known by month.
    """

    states: Mapping[str, tuple[str, ...]]
    measures: frozenset[str] = frozenset()

    def names(self) -> frozenset[str]:
        """Every state, by the name of its panel column."""
        return frozenset(
            name
            for kind, codes in self.states.items()
            for name in (kind, *(state_column(kind, code) for code in codes))
        )


def shown_by(panel: Panel) -> Shown:
    """What a panel shows."""
    return Shown(states=panel.states, measures=frozenset(panel.measures))


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """A measure with one definition.

    Parameters
    ----------
    id : str
        Its identity: two definitions of durable employment are two identifiers.
    nature : Nature
        Only an outcome can be published as a result.
    unit : str
        Of an effect on it: ``"pp"``, ``"months"``, ``"EUR/month"``.
    kinds : tuple of str
        Kinds of state the panel must cover.
    codes : tuple of str
        State columns without which it cannot be computed.
    measures : tuple of str
        Numbers of the month without which it cannot be computed.
    monthly : callable, optional
        ``monthly(panel) -> ibis value``: a number or null for each row of the panel.
    accumulates : bool
        True when the outcome at h months is the sum of the months 1 to h after entry (before
        entry: of the months from there to entry).
    ever : bool
        With ``accumulates``: the sum stops at 1, so that the outcome is *at least once since entry*.
    looks_back : int
        Months before the row's own month that ``monthly`` reads.
    reassessed : bool
        True when a value exists only where somebody was assessed again.
    lacking : callable, optional
        ``lacking(shown)`` names what would still be needed, when ``codes`` cannot say it.
    switches : mapping
        The choices that distinguish this definition from its neighbours, printed with it.
    source : str
        Where the definition comes from.
    """

    id: str
    nature: Nature
    unit: str = ""
    kinds: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    monthly: Callable[[Panel], ibis.Value] | None = None
    accumulates: bool = False
    ever: bool = False
    looks_back: int = 0
    reassessed: bool = False
    lacking: Callable[[Shown], tuple[str, ...]] | None = None
    switches: Mapping[str, str] = field(default_factory=dict)
    source: str = ""

    def missing(self, shown: Shown) -> tuple[str, ...]:
        """States and measures that are needed and not shown; empty when it can be computed."""
        states = shown.names()
        absent = [name for name in (*self.kinds, *self.codes) if name not in states]
        absent += [f"{MEASURE}_{name}" for name in self.measures if name not in shown.measures]
        if not absent and self.lacking is not None:
            absent = list(self.lacking(shown))
        return tuple(absent)

    def computable(self, shown: Shown) -> bool:
        """Whether something is needed, and all of it is shown."""
        return bool(self.kinds or self.measures) and not self.missing(shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Something asked for and not answered, or answered with a reserve (``refusal.<code>.*``).

    Says four things: ``what`` was asked, ``where`` (sources, months, territory, arm), what was found
    against what was needed (``facts``), and the remedy, a sentence of the catalogue filled with the
    facts.

    Parameters
    ----------
    code : str
        Name of the criterion, or of the reason why nothing could be measured.
    what, where : str
    facts : mapping
    waivable : bool
        Whether a named person may turn it into a reserve, in the gate file.
    """

    code: str
    what: str
    where: str
    facts: Facts = field(default_factory=dict)
    waivable: bool = False
