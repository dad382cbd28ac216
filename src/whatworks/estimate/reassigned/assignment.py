"""Who could have been treated instead: the assignment that was really possible, and designs under it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.choosing.kept import frame_of_units
from whatworks.design.parts import Candidates
from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, choice, suggestion
from whatworks.options import typed
from whatworks.stats.assignments import (
    drawn_assignments,
    every_assignment,
    number_of_assignments,
)
from whatworks.vocabulary import (
    ENTRY_MONTH,
    MARKET,
    PERSON,
    SAMPLING,
    STRATUM,
    TREATED,
    Supply,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVELS: Final = ("market", "person")
COPIES: Final = 6
"""Units that stand for a place when it is read as one: methods refuse cohorts of a handful of units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """How treatment was given out, as far as chance decided.

    Within a stratum, every way of giving the same starts to the same number of places is held to be as
    likely as the one that happened.

    Parameters
    ----------
    level : str
        What received a start: a ``"market"`` as a whole, or a ``"person"``.
    within : str, optional
        Strata that starts did not cross: ``"stratum"``, ``"market"`` (for persons), or a covariate that
        does not vary within a market.
    eligible : tuple, optional
        Markets that could have been treated, as the design names them; by default all. The others
        keep what they had.

    Examples
    --------
    >>> Assignment(within="urban").level
    'market'
    """

    level: Literal["market", "person"] = "market"
    within: str | None = None
    eligible: tuple[Any, ...] | None = None

    def __post_init__(self) -> None:
        typed(self)
        choice(self.level, LEVELS, what="level")
        if self.level == "person" and self.eligible is not None:
            raise OptionError(
                what="eligible",
                needed="markets, with level='market'",
                found="level='person'",
                remedy="name strata with within=: those of whom nobody could be treated are one",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What starts are given out among.

    Parameters
    ----------
    design : Design
    place : ndarray of int, shape (n_units,)
        Number of each unit's place.
    start : ndarray of int, shape (n_places,)
        On a rollout the first treated period, else 1 for treated and 0 for not.
    stratum : ndarray of int, shape (n_places,)
    """

    design: Design
    place: Ints
    start: Ints
    stratum: Ints

    @classmethod
    def of(cls, design: Design, assignment: Assignment) -> Places:
        """Places of a design.

        Raises
        ------
        DesignRefused
            When the design is matched already, has no markets, varied saturation, or when units of one
            market started at different times.
        OptionError
            When a market or a stratum is not known.
        """
        _accept(design, assignment)
        units = design.units
        rollout = Supply.ROLLOUT in design.supplies
        start = units[ENTRY_MONTH].to_numpy() if rollout else units[TREATED].to_numpy().astype(int)
        by_person = assignment.level == "person"
        label = np.arange(len(units)) if by_person else pd.factorize(units[MARKET])[0]
        place = _in_own_order(label, start, design)
        n_places = int(place.max()) + 1
        own = np.zeros(n_places, dtype=np.int64)
        own[place] = start
        if not np.array_equal(own[place], start):
            raise DesignRefused(
                what="the assignment",
                needed="one start for all units of a market",
                found="markets in which units start at different times",
                remedy="if persons were drawn, say Assignment(level='person', within='market')",
            )
        stratum = _strata(design, assignment, place, n_places)
        return cls(design=design, place=place, start=own, stratum=stratum)

    @property
    def n_assignments(self) -> int:
        """How many there are, the one that happened among them."""
        return number_of_assignments(self.start, self.stratum)

    def every(self) -> Iterator[Ints]:
        """All of them."""
        return every_assignment(self.start, self.stratum)

    def drawn(self, draws: int, rng: np.random.Generator) -> Iterator[Ints]:
        """Some, at random."""
        return drawn_assignments(self.start, self.stratum, draws=draws, rng=rng)

    def under(self, start: Ints, values: Floats | None = None) -> Design:
        """The design had starts been these; with other outcomes where they are given."""
        units, design = self.design.units, self.design
        told = start[self.place]
        if Supply.ROLLOUT in design.supplies:
            treated = told <= design.outcomes.months[-1]
            units = units.assign(**{ENTRY_MONTH: told, TREATED: treated})
        else:
            units = units.assign(**{TREATED: told == 1})
        outcomes = design.outcomes if values is None else replace(design.outcomes, values=values)
        return replace(design, units=units, outcomes=outcomes, seal=None)

    @property
    def under_treatment(self) -> Floats:
        """1 where a unit was under treatment, by month, 0 elsewhere; shape of the outcomes."""
        months = np.array(self.design.outcomes.months)
        told = self.start[self.place][:, None]
        rollout = Supply.ROLLOUT in self.design.supplies
        under = months >= told if rollout else (months >= 0) & (told == 1)
        return np.asarray(under, dtype=np.float64)

    def together(self) -> Places | None:
        """A few units alike per place, with its mean outcomes and its weight; None where some are missing.

        A method that reads no more than sums of places says the same on it, much faster.
        """
        design, n = self.design, self.start.size
        values = design.outcomes.values
        if np.isnan(values).any() or n * COPIES >= values.shape[0]:
            return None
        weight = design.units[SAMPLING].to_numpy(dtype=float)
        total = np.bincount(self.place, weights=weight, minlength=n)
        first = np.zeros(n, dtype=np.int64)
        first[self.place[::-1]] = np.arange(self.place.size)[::-1]

        def mean(columns: Floats) -> Floats:
            sums = [np.bincount(self.place, weights=weight * c, minlength=n) for c in columns.T]
            return np.asarray(np.array(sums).reshape(columns.shape[1], n).T / total[:, None])

        again = np.repeat(np.arange(n), COPIES)
        covariates = mean(design.units[list(design.covariates)].to_numpy(dtype=float))
        candidates = Candidates(
            treated=design.units[TREATED].to_numpy()[first][again],
            cell=design.units[ENTRY_MONTH].to_numpy()[first][again],
            covariates=covariates[again],
            names=design.covariates,
            weight=total.astype(float)[again] / COPIES,
        )
        units = frame_of_units(
            candidates,
            person=np.arange(again.size, dtype=np.int64),
            market=design.units[MARKET].to_numpy(dtype=object)[first][again],
        )
        whole = replace(
            design,
            units=units,
            outcomes=replace(design.outcomes, values=mean(values)[again]),
            fitted=(),
            seal=None,
        )
        return replace(self, design=whole, place=again)


def _accept(design: Design, assignment: Assignment) -> None:
    if Supply.WEIGHTS in design.supplies:
        raise DesignRefused(
            what="randomisation",
            needed="the design before its comparisons were chosen",
            found="a matched or weighted one",
            remedy="start from the unmatched design, and match each with prepare=",
        )
    if design.units[PERSON].duplicated().any():
        raise DesignRefused(
            what="randomisation",
            needed="each person once",
            found="persons who serve several cohorts",
            remedy="start from the rollout itself, and lay each out with prepare=whatworks.stack",
        )
    if Supply.SATURATION in design.supplies:
        raise DesignRefused(
            what="randomisation",
            needed="one draw: of markets, or of persons",
            found="a two-stage draw, of shares and then of persons",
            remedy="write assignment=whatworks.TwoStage()",
        )
    by_market = assignment.level == "market" or assignment.within == "market"
    if by_market and Supply.MARKETS not in design.supplies:
        raise DesignRefused(
            what="the assignment",
            needed="a design that supplies markets",
            found="one without a column of them",
            remedy="name the column of the labour market, or choose level='person'",
        )


def _in_own_order(place: NDArray[np.intp], start: Ints, design: Design) -> Ints:
    """Places numbered by what they hold, so that labels and rows do not decide who draws what."""
    n = int(place.max()) + 1
    held = np.nan_to_num(design.outcomes.values).sum(axis=1)
    sums = np.bincount(place, weights=held, minlength=n)
    size = np.bincount(place, minlength=n)
    mean_start = np.bincount(place, weights=start, minlength=n) / size
    rank = np.empty(n, dtype=np.int64)
    rank[np.lexsort((size, sums, mean_start))] = np.arange(n)
    return rank[place]


def _strata(design: Design, assignment: Assignment, place: Ints, n_places: int) -> Ints:
    """Stratum of each place; each place that could not be treated is one of its own."""
    stratum = np.zeros(n_places, dtype=np.int64)
    units = design.units
    if assignment.within is not None:
        known = (STRATUM, MARKET, *design.covariates)
        if assignment.within not in known:
            raise OptionError(
                what="within",
                needed="a stratum the design holds: one of " + ", ".join(known),
                found=repr(assignment.within),
                remedy=suggestion(assignment.within, known) or "add it to the covariates",
            )
        told = pd.factorize(units[assignment.within], sort=True)[0]
        stratum[place] = told
        if not np.array_equal(stratum[place], told):
            raise OptionError(
                what="within",
                needed="one stratum for all units of a market",
                found=f"{assignment.within!r}, which varies within markets",
                remedy="choose a stratum of markets, or level='person'",
            )
    if assignment.eligible is not None:
        markets = units[MARKET].to_numpy(dtype=object)
        unknown = set(assignment.eligible) - set(markets)
        if unknown:
            raise OptionError(
                what="eligible",
                needed="markets of the design, as it names them",
                found=f"{len(unknown)} it does not have",
                remedy="see design.units['market']",
            )
        could = np.zeros(n_places, dtype=bool)
        could[place] = pd.Series(markets).isin(list(assignment.eligible)).to_numpy()
        apart = np.flatnonzero(~could)
        stratum[apart] = stratum.max() + 1 + np.arange(apart.size)
    return stratum
