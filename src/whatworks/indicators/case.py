"""What a criterion is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from whatworks.indicators.gate import Gate
from whatworks.indicators.measured import ARM, PERSONS, TERRITORY, Measured
from whatworks.indicators.record import Facts, Indicator
from whatworks.sources.records import Coverage
from whatworks.vocabulary import MONTH, SOURCE

CELL: Final = (SOURCE, MONTH, TERRITORY, ARM, PERSONS, "measured")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An indicator, the panel it would be read from, and what it would be read for.

    Parameters
    ----------
    indicator : Indicator
    measured : Measured
    gate : Gate
    horizon : int or None
        Months since entry at which the outcome is read.
    cohort : tuple of int
        First and last month of entry.
    arms : tuple of str
        Accompaniments whose entrants the figure tells apart; none: everyone together.
    """

    indicator: Indicator
    measured: Measured
    gate: Gate
    horizon: int | None
    cohort: tuple[int, int]
    arms: tuple[str, ...] = ()

    @property
    def coverage(self) -> tuple[Coverage, ...]:
        """Coverage of the sources the indicator is read from."""
        return self.measured.covering(self.indicator.kinds)

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources the indicator is read from, in order."""
        return tuple(sorted({c.source for c in self.coverage}))

    def settled(self, coverage: Coverage) -> int:
        """Last month whose observation by a source will not change any more."""
        if coverage.unsettled is None:
            return coverage.last
        return min(coverage.last, coverage.unsettled - 1)

    def lag(self, coverage: Coverage) -> int:
        """Months after which what a source says of a month is definitive.

        As the gate file says, else as the newest vintage shows: how far behind it the source is
        definitive.
        """
        if coverage.source in self.gate.lags:
            return self.gate.lags[coverage.source]
        vintages = [
            file.vintage
            for file in self.measured.panel.files
            if file.source == coverage.source and file.vintage is not None
        ]
        return max(0, max(vintages) - self.settled(coverage)) if vintages else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a criterion measured, once.

    Parameters
    ----------
    value : float
        Share at fault, or count.
    sources : tuple of str
        Those concerned.
    months : tuple of int, optional
        First and last month concerned; the whole window otherwise.
    territory, arm : str
        Empty when all are concerned.
    facts : mapping
        Further facts of the sentence.
    refusable : bool
        False when, here, the criterion can only call for a reserve.
    cells : DataFrame
        ``source, month, territory, arm, persons, measured``: where it was measured.
    """

    value: float
    sources: tuple[str, ...] = ()
    months: tuple[int, int] | None = None
    territory: str = ""
    arm: str = ""
    facts: Facts = field(default_factory=dict)
    refusable: bool = True
    cells: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(CELL)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One thing the gate measures.

    Parameters
    ----------
    name : str
        As in the gate file, and in the catalogue as ``refusal.<name>``.
    read : callable
        ``read(case)``: what was measured, nothing when it cannot be measured here.
    found, needed, remedy : str
        Sentence of an exception, filled with the facts and ``measured`` and ``threshold``.
    """

    name: str
    read: Callable[[Case], tuple[Reading, ...]]
    found: str
    needed: str
    remedy: str
