"""Responses of regressions on cells: means, what restricted regressions say, and how sure all is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatworks.estimate.shares.cell_regressions import Fitted, Fitting, combined
from whatworks.estimate.shares.responses import Further, Responses
from whatworks.estimate.shares.saturations import Saturated, weight_of_shares
from whatworks.stats.displacement.absorbed import heteroskedastic
from whatworks.stats.displacement.degrees import Smallest
from whatworks.stats.displacement.sums import means_of
from whatworks.stats.uncertainty import Covariance, Influence, Uncertainty

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ROWS_AT_ONCE = 2**16


@dataclass(frozen=True, slots=True)
class Place:
    """Where a term of the responses is: which regression, which of its terms, which of its months."""

    of: int
    term: int
    month: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfRegressions:
    """Satterthwaite's degrees of freedom of forms of terms: of several regressions, the fewest.

    Parameters
    ----------
    fitted : tuple of Fitted
    places : tuple of Place
        Of each term.
    """

    fitted: tuple[Fitted, ...]
    places: tuple[Place, ...]

    def of(self, forms: Floats) -> Floats:
        """Of each form; infinite for one that reads nothing."""
        known: dict[tuple[int, bytes], float] = {}
        found = np.full(forms.shape[0], np.inf)
        for row, form in enumerate(forms):
            parts: dict[tuple[int, int], Floats] = {}
            for at in np.flatnonzero(form):
                place = self.places[at]
                size = len(self.fitted[place.of].terms)
                part = parts.setdefault((place.of, place.month), np.zeros(size))
                part[place.term] += form[at]
            for (of, _), part in parts.items():
                key = (of, part.tobytes())
                if key not in known:
                    known[key] = self._one(self.fitted[of], part)
                found[row] = np.fmin(found[row], known[key])
        return found

    @staticmethod
    def _one(fitted: Fitted, part: Floats) -> float:
        if fitted.adjusted is None:
            return float("nan")
        return float(fitted.adjusted.df(combined(fitted.forms, part[None, :]))[0])


def responses_of_fits(fits: Sequence[Fitted], units: Saturated, how: Fitting) -> Responses:
    """Responses of regressions: cells first, then what is no contrast of cells."""
    order = [i for i, f in enumerate(fits) if f.model == "saturated"]
    beside = [i for i, f in enumerate(fits) if f.model != "saturated"]
    places = [_places(i, fits[i]) for i in (*order, *beside)]
    cells = [p for part in places[: len(order)] for p in part]
    further = [p for part in places[len(order) :] for p in part]
    every = tuple(cells + further)
    values = [fits[i].fit.read(fits[i].forms) for i in range(len(fits))]
    counts = [f.n_units() for f in fits]
    markets = [f.n_markets() for f in fits]
    df = _degrees(fits, every)
    alone = np.array([markets[p.of][p.term] < 2 for p in cells], dtype=bool)
    return Responses(
        arm=np.array([fits[p.of].arm(p.term) for p in cells], dtype=np.object_),
        saturation=np.array([fits[p.of].shares[p.term] for p in cells]),
        month=_months(fits, cells),
        group=np.array([fits[p.of].sample.label for p in cells], dtype=np.object_),
        mean=np.array([values[p.of][p.term, p.month] for p in cells]),
        n_units=np.array([counts[p.of][p.term] for p in cells]),
        n_markets=np.array([markets[p.of][p.term] for p in cells]),
        uncertainty=_uncertainty(fits, every, units, how, alone=alone),
        weight=weight_of_shares(units),
        df=float(np.nanmin(df)) if np.isfinite(df).any() else np.inf,
        further=_further(fits, further, values) if further else None,
        degrees=Smallest(df=df)
        if how.errors in ("CR1", "HC1")
        else OfRegressions(fitted=tuple(fits), places=every),
        p_values=units.shares.p_values,
    )


def _places(of: int, fitted: Fitted) -> list[Place]:
    return [
        Place(of, term, month)
        for month in range(len(fitted.months))
        for term in range(len(fitted.terms))
    ]


def _months(fits: Sequence[Fitted], places: Sequence[Place]) -> Ints:
    return np.array([fits[p.of].months[p.month] for p in places], dtype=np.int64)


def _degrees(fits: Sequence[Fitted], places: Sequence[Place]) -> Floats:
    found = []
    for fitted in fits:
        if fitted.adjusted is None:
            spare = fitted.fit.sums.n - fitted.fit.n_coefficients
            found.append(np.full(len(fitted.terms), float(max(spare, 1))))
        else:
            found.append(fitted.adjusted.df(fitted.forms))
    return np.array([found[p.of][p.term] for p in places])


def _uncertainty(
    fits: Sequence[Fitted],
    places: Sequence[Place],
    units: Saturated,
    how: Fitting,
    *,
    alone: NDArray[np.bool_],
) -> Uncertainty:
    """Of all terms; a cell of one market fits it without error, which says nothing of how markets vary."""
    if how.errors == "HC1":
        return Covariance(matrix=_of_rows(fits, places, units))
    found = [f.adjusted.influence(f.forms) for f in fits if f.adjusted is not None]
    values = np.column_stack([found[p.of][:, p.term, p.month] for p in places])
    values[:, : alone.size][:, alone] = np.nan
    return Influence(values=values, cluster=np.arange(units.n_markets), level="market")


def _of_rows(fits: Sequence[Fitted], places: Sequence[Place], units: Saturated) -> Floats:
    """Covariance of all terms from single rows, some rows at a time."""
    total = np.zeros((len(places), len(places)))
    at: dict[int, list[int]] = {}
    for k, place in enumerate(places):
        at.setdefault(place.of, []).append(k)
    means = {i: means_of(fits[i].rows) for i in at}
    for start in range(0, units.order.size, ROWS_AT_ONCE):
        end = min(start + ROWS_AT_ONCE, units.order.size)
        held = np.zeros((end - start, len(places)))
        for i, mine in at.items():
            fitted = fits[i]
            low, high = np.searchsorted(fitted.index, (start, end))
            found = heteroskedastic(
                fitted.rows, means[i], fitted.fit, fitted.forms, slice(int(low), int(high))
            )
            for k in mine:
                place = places[k]
                held[fitted.index[low:high] - start, k] = found[:, place.term, place.month]
        total += held.T @ held
    return total


def _further(fits: Sequence[Fitted], places: Sequence[Place], values: Sequence[Floats]) -> Further:
    compared = np.array([fits[p.of].compared(p.term) for p in places], dtype=np.int64)
    return Further(
        term=np.array([fits[p.of].terms[p.term] for p in places], dtype=np.object_),
        group=np.array([fits[p.of].label(p.term) for p in places], dtype=np.object_),
        month=_months(fits, places),
        effect=np.array([values[p.of][p.term, p.month] for p in places]),
        n_treated=compared[:, 0],
        n_comparison=compared[:, 1],
    )
