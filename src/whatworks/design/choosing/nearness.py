"""What makes two units near: a score or a space, calipers, cells, and who is set apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.design.choosing.propensity import FittedPropensity, Propensity
from whatworks.design.comparison import Chosen, Matches, cells, from_matches
from whatworks.design.parts import Candidates
from whatworks.errors import DesignRefused, OptionError, choice, suggestion
from whatworks.options import from_table, typed
from whatworks.stats.distances import SPACES
from whatworks.stats.search import MOST_PAIRS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Metric = Literal[
    "linear_propensity",
    "propensity",
    "mahalanobis",
    "mahalanobis_pooled",
    "robust_mahalanobis",
    "scaled_euclidean",
]
SCORES: Final = ("linear_propensity", "propensity")
DISTANCE: Final = "distance"
"""The distance of the comparison itself, as a caliper names it."""


OFF_SUPPORT: Final = "off_common_support"
"""Ledger reason of units set apart, of either arm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caliper:
    """Greatest difference between matched units on one thing.

    Parameters
    ----------
    of : str
        ``"propensity"``, ``"linear_propensity"``, a covariate of the design, or ``"distance"``: the
        distance by which neighbours are sought.
    sd : float, optional
        In standard deviations over the candidates not set apart; of a distance in a space, the
        distance itself.
    width : float, optional
        In its own unit. One of the two is given.

    Raises
    ------
    OptionError
        Unless exactly one of them is above 0.

    Examples
    --------
    >>> Caliper(of="age", width=5)
    Caliper(of='age', sd=None, width=5)
    """

    of: str = DISTANCE
    sd: float | None = None
    width: float | None = None

    def __post_init__(self) -> None:
        typed(self)
        given = [v for v in (self.sd, self.width) if v is not None]
        if len(given) != 1 or not given[0] > 0:
            raise OptionError(
                what=f"caliper of {self.of}",
                needed="sd or width, one of them, above 0",
                found=f"sd={self.sd}, width={self.width}",
                remedy="write for instance Caliper(of='age', width=5)",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Candidates as a search sees them.

    Parameters
    ----------
    points : ndarray of shape (n, r)
        Euclidean distance in them is the distance asked for.
    caliper : float
        Greatest distance, infinite when none was asked.
    keys : ndarray of shape (n, c)
        What the other calipers confine.
    widths : ndarray of shape (c,)
    cell : ndarray of int, shape (n,)
        Units are compared within a cell only; those set apart share none with the other arm.
    apart : ndarray of bool, shape (n,)
        Outside the common support.
    propensity : FittedPropensity or None
    on_line : bool
        The points are scores.
    """

    points: Floats
    caliper: float
    keys: Floats
    widths: Floats
    cell: Ints
    apart: Bools
    propensity: FittedPropensity | None
    on_line: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearness:
    """Options that comparisons by nearness share, checked in one place.

    Parameters
    ----------
    metric : str
    on : tuple of str
        Covariates a distance in a space is measured on; empty means all of them.
    calipers : tuple of Caliper
    exact : tuple of str
    propensity : Propensity or None
        None fits a logit where the metric or a caliper rests on it.

    Raises
    ------
    OptionError
    """

    metric: str
    on: tuple[str, ...]
    calipers: tuple[Caliper, ...]
    exact: tuple[str, ...]
    propensity: Propensity | None

    def __post_init__(self) -> None:
        choice(self.metric, (*SCORES, *SPACES), what="metric")
        if self.on and self.metric in SCORES:
            raise OptionError(
                what="on",
                needed="a distance between covariates, which it is measured on",
                found=f"metric={self.metric!r}, which all covariates of the design make",
                remedy="choose metric='mahalanobis' or leave out 'on'",
            )

    def measure(self, candidates: Candidates) -> Measured:
        """Coordinates, calipers and cells of candidates.

        Raises
        ------
        OptionError
            When a name is not a covariate of the design.
        DesignRefused
            When no propensity can be fitted or no covariate varies.
        """
        cell = cells(candidates, self.exact, what="exact")
        fitted = self._fitted(candidates)
        apart = np.zeros(cell.size, dtype=bool) if fitted is None else ~fitted.supported
        out = apart
        if self.metric in SCORES and fitted is not None:
            score = _score(fitted, self.metric)
            out = apart | np.isnan(score)
            points = score[:, None]
        else:
            points = self._space(candidates)
        taking_part = np.where(apart, 0.0, candidates.weight)
        caliper, keys, widths = np.inf, [], []
        for one in self.calipers:
            if one.of in {DISTANCE, self.metric}:
                spread = self._spread(points[:, 0], one, fitted, taking_part)
                caliper = min(caliper, spread)
                continue
            values = self._values(one, candidates, fitted)
            keys.append(values)
            widths.append(self._spread(values, one, fitted, taking_part, key=True))
        # Numbers below zero, one for each arm: whoever is set apart shares a cell with nobody.
        return Measured(
            points=points,
            caliper=caliper,
            keys=np.column_stack(keys) if keys else np.empty((cell.size, 0)),
            widths=np.array(widths),
            cell=np.where(out, -1 - candidates.treated.astype(np.int64), cell),
            apart=apart,
            propensity=fitted,
            on_line=self.metric in SCORES,
        )

    def _fitted(self, candidates: Candidates) -> FittedPropensity | None:
        rests = self.metric in SCORES or any(c.of in SCORES for c in self.calipers)
        if self.propensity is not None:
            return self.propensity.fit(candidates)
        return Propensity().fit(candidates) if rests else None

    def _space(self, candidates: Candidates) -> Floats:
        which = columns(candidates, self.on, what="on")
        points = SPACES[self.metric](
            candidates.covariates[:, which], treated=candidates.treated, weight=candidates.weight
        )
        if not points.shape[1]:
            raise DesignRefused(
                what="the distance between covariates",
                needed="a covariate that varies",
                found="none",
                remedy="name covariates in the question, or use exact comparisons",
            )
        return points

    def _values(
        self, caliper: Caliper, candidates: Candidates, fitted: FittedPropensity | None
    ) -> Floats:
        if caliper.of in SCORES and fitted is not None:
            return _score(fitted, caliper.of)
        (which,) = columns(candidates, (caliper.of,), what="caliper")
        return np.asarray(candidates.covariates[:, which])

    def _spread(
        self,
        values: Floats,
        caliper: Caliper,
        fitted: FittedPropensity | None,
        weight: Floats,
        *,
        key: bool = False,
    ) -> float:
        """Width of a caliper in the unit of what it confines."""
        if caliper.width is not None:
            return caliper.width
        share = float(caliper.sd or 0.0)
        if not key and self.metric not in SCORES:
            return share
        among = weight > 0
        if fitted is not None and (not key or caliper.of in SCORES):
            among = among & ~fitted.certain
        return share * _deviation(values[among], weight[among]) if among.sum() > 1 else np.nan


def _deviation(values: Floats, weight: Floats) -> float:
    """Standard deviation; over n − 1 where weights are equal, whatever their scale."""
    part = weight / weight.sum()
    apart = values - part @ values
    return float(np.sqrt(part @ apart**2 * values.size / (values.size - 1)))


def chosen_near(candidates: Candidates, matches: Matches, measured: Measured) -> Chosen:
    """What pairs amount to, with who was set apart and who found nobody told apart.

    Raises
    ------
    DesignRefused
        When there is no pair.
    """
    if not matches.unit.size:
        raise nobody_near(candidates)
    confined = np.isfinite(measured.caliper) or measured.widths.size > 0
    reason = "no_match_in_caliper" if confined else "no_comparison"
    fitted = measured.propensity
    chosen = from_matches(
        candidates,
        matches,
        reason=reason,
        propensity=None if fitted is None else fitted.probability,
        fitted=() if fitted is None or fitted.equation is None else (fitted.equation,),
    )
    return replace(chosen, lost=alone(measured, reason, chosen.lost[reason]))


def alone(measured: Measured, reason: str, without: Bools) -> dict[str, Bools]:
    """Units sought for that found nobody, those set apart told from the others."""
    if not measured.apart.any():
        return {reason: without}
    return {OFF_SUPPORT: measured.apart, reason: without & ~measured.apart}


def nobody_near(candidates: Candidates) -> DesignRefused:
    """The refusal of a comparison in which nobody found a match."""
    return DesignRefused(
        what="nearest neighbours",
        needed="at least one treated unit with a comparison",
        found=f"{int(candidates.sought.sum())} units, none with a comparison within reach",
        remedy="widen the caliper or match exactly on fewer covariates",
    )


def too_many(count: int) -> DesignRefused:
    """The refusal of more pairs than can be listed."""
    return DesignRefused(
        what="comparisons",
        needed=f"at most {MOST_PAIRS:,} pairs of treated and comparison units",
        found=f"{count:,}, most of them equally near",
        remedy="compare on more covariates, so that fewer units are tied",
    )


def as_calipers(calipers: tuple[Any, ...]) -> tuple[Caliper, ...]:
    """Calipers from what a study file (tables) or a caller (objects) wrote."""
    found = tuple(from_table(Caliper, c) if isinstance(c, Mapping) else c for c in calipers)
    if not all(isinstance(c, Caliper) for c in found):
        raise OptionError(
            what="calipers",
            needed="calipers, or tables of their options",
            found=", ".join(sorted({type(c).__name__ for c in found})),
            remedy="write for instance calipers=(Caliper(of='age', width=5),)",
        )
    return found


def columns(candidates: Candidates, names: tuple[str, ...], *, what: str) -> list[int]:
    """Columns of some covariates; every level of a category; all for no name.

    Raises
    ------
    OptionError
        When a name is not a covariate of the design.
    """
    if not names:
        return list(range(len(candidates.names)))
    found: list[int] = []
    for name in names:
        own = [
            k
            for k, label in enumerate(candidates.names)
            if label == name or label.startswith(f"{name}=")
        ]
        if not own:
            raise OptionError(
                what=what,
                needed="covariates of the design",
                found=repr(name),
                remedy=suggestion(name, candidates.names) or "add it to the covariates",
            )
        found += own
    return found


def _score(fitted: FittedPropensity, name: str) -> Floats:
    return fitted.probability if name == "propensity" else fitted.linear
