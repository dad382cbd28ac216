"""Effects at one share of the market assigned, read off the responses of an estimate in three ways.

*Saturated*: the cells themselves, and between two observed shares the straight line that joins them.
*Pooled*: one direct and one spillover effect for all positive shares. *Linear*: a line in the share for
each arm. The last two smooth over shares what the first leaves apart; they may disagree, and are always
shown together. Whoever takes part is read the same way, so that outcome and take-up move together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.estimate.shares.responses import ASSIGNED, INELIGIBLE, UNASSIGNED, Responses
from whatworks.stats.displacement.net import AtShare
from whatworks.stats.uncertainty import (
    Covariance,
    Influence,
    Uncertainty,
    factor_of_clusters,
    sums_by_number,
)
from whatworks.vocabulary import ELIGIBLE, MARKET, SATURATION, TOOK_PART, TREATED, WEIGHT, Supply

Floats = NDArray[np.float64]

SATURATED: Final = "saturated"
POOLED: Final = "pooled"
LINEAR: Final = "linear"
FITS: Final = (SATURATED, POOLED, LINEAR)
OBSERVED: Final = "observed"
BETWEEN: Final = "between"
OF_FIT: Final = "fit"
Read = Literal["observed", "between", "fit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Values of cells, further effects, take-up and a constant, with their joint uncertainty.

    Parameters
    ----------
    responses : Responses
    month : int
    group : str
    values : ndarray of shape (n_terms,)
        The last one is 1, and known.
    uncertainty : Uncertainty
    take_up : mapping of (arm, share) to position, empty where take-up is not known.
    """

    responses: Responses
    month: int
    group: str
    values: Floats
    uncertainty: Uncertainty
    take_up: dict[tuple[str, float], int]

    def value(self, form: Floats) -> float:
        """A linear form; values that are not read may be undefined."""
        read = form != 0
        return float(form[read] @ self.values[read])

    def cell(self, arm: str, share: float) -> int | None:
        """Position of a cell, None where nobody is in it."""
        r = self.responses
        here = (r.arm == arm) & (r.saturation == share)
        found = np.flatnonzero(here & (r.month == self.month) & (r.group == self.group))
        return int(found[0]) if found.size else None

    def further(self, fit: str, term: str) -> Floats | None:
        """Form of one effect of a pooled or linear fit, None where there is none."""
        more = self.responses.further
        if more is None:
            return None
        label = fit if self.group == "all" else f"{self.group}@{fit}"
        here = (more.group == label) & (more.term == term) & (more.month == self.month)
        found = np.flatnonzero(here)
        return self.unit(self.responses.mean.size + int(found[0])) if found.size else None

    def unit(self, place: int) -> Floats:
        """Form that reads one term."""
        form = np.zeros(self.values.size)
        form[place] = 1.0
        return form

    @property
    def one(self) -> Floats:
        """Form of the constant."""
        return self.unit(self.values.size - 1)

    def shares(self, arm: str) -> Floats:
        """Shares at which an arm is met, increasing."""
        r = self.responses
        here = (r.arm == arm) & (r.month == self.month) & (r.group == self.group)
        here &= np.isfinite(r.mean)
        return np.unique(r.saturation[here])


def terms_of(responses: Responses, design: Design, *, month: int, group: str) -> Terms:
    """Terms of the responses, then take-up by arm and share where the design knows it, then 1.

    Take-up is that of everyone: it is not told for a group.
    """
    values = responses.mean
    if responses.further is not None:
        values = np.append(values, responses.further.effect)
    keys: list[tuple[str, float]] = []
    rates, influence = np.empty(0), np.zeros((1, 0))
    if Supply.TAKE_UP in design.supplies and group == "all":
        keys, rates, influence = _take_up(design)
    return Terms(
        responses=responses,
        month=month,
        group=group,
        values=np.concatenate([values, rates, [1.0]]),
        uncertainty=_joined(responses.uncertainty, influence),
        take_up={key: values.size + k for k, key in enumerate(keys)},
    )


def _take_up(design: Design) -> tuple[list[tuple[str, float]], Floats, Floats]:
    """Share of each arm that took part, by share assigned, with its influence by market."""
    units = design.units
    may = units[ELIGIBLE].to_numpy(dtype=bool) if ELIGIBLE in units else np.ones(len(units), bool)
    units = units[may]
    market, names = pd.factorize(design.units[MARKET], sort=True)
    market = market[may]
    weight, took = units[WEIGHT].to_numpy(float), units[TOOK_PART].to_numpy(float)
    treated, share = units[TREATED].to_numpy(bool), units[SATURATION].to_numpy(float)
    keys: list[tuple[str, float]] = []
    rates, columns = [], []
    for level in np.unique(share):
        for arm, mine in ((UNASSIGNED, ~treated), (ASSIGNED, treated)):
            w = weight * (mine & (share == level))
            if w.sum() > 0:
                keys.append((arm, float(level)))
                rates.append(float(w @ took / w.sum()))
                columns.append(w * (took - rates[-1]) / w.sum())
    sums = sums_by_number(np.column_stack(columns), market, n_clusters=len(names))
    return keys, np.array(rates), sums * np.sqrt(factor_of_clusters(len(names)))


def _joined(uncertainty: Uncertainty, influence: Floats) -> Uncertainty:
    """Both together, and a constant: by market where both are, else take-up taken as known."""
    n_more = influence.shape[1] + 1
    if isinstance(uncertainty, Influence):
        more = np.zeros((uncertainty.values.shape[0], n_more))
        if influence.shape[0] == more.shape[0]:
            more[:, :-1] = influence / np.sqrt(uncertainty.factor)
        return replace(uncertainty, values=np.column_stack([uncertainty.values, more]))
    first = uncertainty.covariance()
    matrix = np.zeros((first.shape[0] + n_more,) * 2)
    matrix[: first.shape[0], : first.shape[0]] = first
    return Covariance(matrix=matrix)


def at_share(terms: Terms, fit: str, share: float) -> tuple[AtShare, Read] | None:
    """Effects at a share by one fit and how they were read; None where the estimate has no such fit."""
    if fit == SATURATED:
        return _saturated(terms, share)
    read = {t: terms.further(fit, t) for t in ("direct", "spillover", "slope_assigned")}
    slope = terms.further(fit, "slope_unassigned")
    direct, spillover = read["direct"], read["spillover"]
    if fit == LINEAR and direct is not None and slope is not None:
        if read["slope_assigned"] is None:
            return None
        direct = direct + share * (read["slope_assigned"] - slope)
        spillover = share * slope
    if direct is None or spillover is None:
        return None
    made = AtShare(share=share, direct=direct, spillover=spillover, total=direct + spillover)
    return made, OF_FIT


def at_limit(terms: Terms, fit: str) -> Floats | None:
    """DE with next to nobody else helped; of cells, that at the lowest share that tells it."""
    if fit != SATURATED:
        return terms.further(fit, "direct")
    both = np.intersect1d(terms.shares(ASSIGNED), terms.shares(UNASSIGNED))
    return _saturated(terms, float(both[0]))[0].direct if both.size else None


def departures(terms: Terms, fit: str) -> Floats:
    """Forms of cells that are nil where a fit that smooths over shares holds, shape (n_forms, n_terms).

    Pooled: spillover and total are the same at all shares. Linear: the spillover is in proportion to the
    share, and the total on a line.
    """
    shares = np.union1d(terms.shares(ASSIGNED), terms.shares(UNASSIGNED))
    here = [_saturated(terms, float(s))[0] for s in shares[shares > 0]]
    total = [(a.share, a.total) for a in here if a.total is not None]
    others = [(a.share, a.spillover) for a in here if a.spillover is not None]
    rows: list[Floats] = []
    for told in (total, others):
        known = [(s, form) for s, form in told if form is not None]
        if fit == POOLED:
            rows += [b - a for (_, a), (_, b) in pairwise(known)]
        else:
            # The spillover starts at nil where nobody is assigned; the total starts where it will.
            start = [(0.0, np.zeros(terms.values.size))] if told is others else []
            rises = [(b - a) / (t - s) for (s, a), (t, b) in pairwise(start + known)]
            rows += [b - a for a, b in pairwise(rises)]
    return np.array(rows).reshape(len(rows), terms.values.size)


def mean_form(terms: Terms, arm: str, share: float) -> Floats | None:
    """Mean outcome of an arm at a share: its cell, or the line between the two beside it."""
    return _between(terms, terms.shares(arm), share, lambda s: terms.cell(arm, s))


def participants(terms: Terms, share: float) -> Floats | None:
    """Persons who took part because of the assignment, per person assigned."""

    def rate(arm: str) -> Floats | None:
        known = np.array(sorted(s for a, s in terms.take_up if a == arm))
        return _between(terms, known, share, lambda s: terms.take_up.get((arm, s)))

    one, none = rate(ASSIGNED), terms.take_up.get((UNASSIGNED, 0.0))
    if one is None or none is None:
        return None
    before = terms.unit(none)
    if share == 1:
        return one - before
    zero = rate(UNASSIGNED)
    return None if zero is None else one - before + (zero - before) * (1 - share) / share


def _saturated(terms: Terms, share: float) -> tuple[AtShare, Read]:
    one, zero = (mean_form(terms, arm, share) for arm in (ASSIGNED, UNASSIGNED))
    none = mean_form(terms, UNASSIGNED, 0.0)
    other, other_none = (mean_form(terms, INELIGIBLE, s) for s in (share, 0.0))
    made = AtShare(
        share=share,
        direct=_less(one, zero),
        spillover=_less(zero, none),
        total=_less(one, none),
        ineligible=_less(other, other_none),
    )
    met = terms.cell(ASSIGNED, share) is not None or terms.cell(UNASSIGNED, share) is not None
    return made, OBSERVED if met else BETWEEN


def _between(
    terms: Terms, known: Floats, share: float, place: Callable[[float], int | None]
) -> Floats | None:
    """A value at a share, or on the line between the shares beside it; never beyond the last."""
    exact = place(share)
    if exact is not None and np.isfinite(terms.values[exact]):
        return terms.unit(exact)
    if not known.size or not known[0] < share < known[-1]:
        return None
    after = int(np.searchsorted(known, share))
    low, high = float(known[after - 1]), float(known[after])
    first, second = place(low), place(high)
    if first is None or second is None:
        return None
    part = (share - low) / (high - low)
    return (1 - part) * terms.unit(first) + part * terms.unit(second)


def _less(one: Floats | None, other: Floats | None) -> Floats | None:
    return None if one is None or other is None else one - other
