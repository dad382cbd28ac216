"""A rollout whose treated units received more or less: cells by dose, and their averages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatworks.errors import DesignRefused
from whatworks.estimate.cells import Cells
from whatworks.estimate.rollouts import Rollout
from whatworks.stats.did.aggregation import Averages, by_shares, evenly, mean_by_shares
from whatworks.stats.did.dose import DoseBasis, dose_curve, rank_of
from whatworks.stats.quantiles import Distribution
from whatworks.stats.uncertainty import Influence, sums_by_number

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ROUNDING = 1e-12
"""Change, relative to the largest outcome, that counts as none."""
DIGITS = 3
"""Of a dose at which curves are read: no person's own dose is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dosed:
    """Effects by cohort and period, and coefficients of curves of the dose averaged over them.

    Parameters
    ----------
    cells : Cells
        Effects whatever the dose.
    basis : DoseBasis
    doses : Distribution
        Of the treated.
    coefficients : ndarray of shape (n_averages, n_splines + 2)
        Of the curve, then the mean effect and the mean slope.
    uncertainty : Influence
        Of the coefficients, average after average.
    months, n_treated, n_comparison : ndarray of int, shape (n_averages,)
    """

    cells: Cells
    basis: DoseBasis
    doses: Distribution
    coefficients: Floats
    uncertainty: Influence
    months: Ints
    n_treated: Ints
    n_comparison: Ints

    def grid(self, quantiles: tuple[float, ...]) -> Floats:
        """Doses at some quantiles, rounded, each once."""
        exact = self.doses.quantile(np.array(quantiles))
        size = 10.0 ** (np.floor(np.log10(exact)) - DIGITS + 1)
        return np.unique([float(f"{d:g}") for d in np.round(exact / size) * size])

    def level(self) -> Floats:
        """What reads the mean effect off coefficients, shape (1, n_splines + 2)."""
        return np.eye(self.coefficients.shape[1])[[-2]]

    def slope(self) -> Floats:
        """What reads the mean slope."""
        return np.eye(self.coefficients.shape[1])[[-1]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A cell: positions of its cohort, its period and its base, and the start its controls exceed."""

    cohort: int
    period: int
    base: int
    later_than: int


def dosed_cells(
    rollout: Rollout, *, degree: int, knots: int, later: bool, by_month: bool, factor: float
) -> Dosed:
    """Estimate every cell, and average the coefficients of their curves.

    Parameters
    ----------
    rollout : Rollout
        With doses, every unit observed in every period.
    degree, knots : int
        Of the splines.
    later : bool
        Units that start later serve as controls until then.
    by_month : bool
        Average by month since the start rather than over all cells from the start on.
    factor : float
        Small-sample factor on covariances.

    Raises
    ------
    DesignRefused
        When no cell has controls, or a cohort's doses do not tell the splines apart.
    """
    dose = _doses(rollout)
    started = rollout.start <= rollout.periods[-1]
    received = Distribution.of(dose[started], weight=rollout.weight[started])
    basis = _basis(received, degree=degree, knots=knots)
    places = _places(rollout, later=later)
    share, moved = _shares(rollout, started)
    months, members = _members(rollout, places, by_month=by_month)
    width = basis.size + 2

    def averaged(effect: Floats) -> Averages:
        cohort = np.array([p.cohort for p in places])
        return _averages(effect, cohort, share, members, by_month=by_month)

    toward = averaged(np.zeros(len(places))).gradient[:, : len(places)]
    terms = np.empty((len(places), width))
    counts = np.empty((len(places), 2), dtype=np.int64)
    alone = np.empty((rollout.n_clusters, len(places)))
    sums = np.zeros((rollout.n_clusters, len(members), width))
    for k, place in enumerate(places):
        terms[k], counts[k], influence = _cell(rollout, place, basis, dose)
        alone[:, k] = influence[:, -2]
        for a in np.flatnonzero(toward[:, k]):
            sums[:, a] += toward[a, k] * influence
    found = [averaged(terms[:, j]) for j in range(width)]
    for j, average in enumerate(found):
        sums[:, :, j] += moved @ average.gradient[:, len(places) :].T
    counted = np.array([counts[m].sum(axis=0) for m in members])
    return Dosed(
        cells=_cells(
            rollout, places, terms[:, -2], counts, share, np.hstack([alone, moved]), factor
        ),
        basis=basis,
        doses=received,
        coefficients=np.column_stack([average.value for average in found]),
        uncertainty=_influence(rollout, sums.reshape(rollout.n_clusters, -1), factor),
        months=months,
        n_treated=counted[:, 0],
        n_comparison=counted[:, 1],
    )


def _doses(rollout: Rollout) -> Floats:
    if rollout.dose is None:
        raise AssertionError("a method by dose asks for a design that supplies it")
    return rollout.dose


def _basis(received: Distribution, *, degree: int, knots: int) -> DoseBasis:
    """Splines between the least and the greatest dose, knots at even quantiles."""
    low, high = float(received.values[0]), float(received.values[-1])
    at = received.quantile(np.arange(1, knots + 1) / (knots + 1))
    inside = np.unique(at[(at > low) & (at < high)])
    needed = degree + knots + 1
    if inside.size < knots or received.values.size < needed:
        raise DesignRefused(
            what="the doses",
            needed=f"{needed} distinct doses, and knots that fall apart",
            found=f"{received.values.size} distinct doses and {inside.size} knots of {knots}",
            remedy="lower the number of knots or the degree",
        )
    return DoseBasis.of(low, high, inside=inside, degree=degree)


def _places(rollout: Rollout, *, later: bool) -> list[_Place]:
    """Cells that have controls, cohort by cohort."""
    periods, last = rollout.periods, int(rollout.periods[-1])
    greatest = int(rollout.start.max())
    places = []
    for c, g in enumerate(rollout.cohorts):
        base = int(np.flatnonzero(periods < g)[-1])
        for t in range(periods.size):
            beyond = max(int(periods[t]), int(periods[base])) if later else last
            # Units of the cohort itself are no controls of its own earlier periods.
            beyond = max(beyond, int(g)) if later else beyond
            if t != base and greatest > beyond:
                places.append(_Place(cohort=c, period=t, base=base, later_than=beyond))
    if not any(periods[p.period] >= rollout.cohorts[p.cohort] for p in places):
        raise DesignRefused(
            what="ContinuousDose",
            needed="units not treated in some period in which others are",
            found="none",
            remedy="choose control='not_yet_treated', or bring units never treated",
        )
    return places


def _cell(
    rollout: Rollout, place: _Place, basis: DoseBasis, dose: Floats
) -> tuple[Floats, Ints, Floats]:
    """Terms of one cell, counts, and the influence of each cluster on the terms."""
    treated = np.flatnonzero(rollout.start == rollout.cohorts[place.cohort])
    untreated = np.flatnonzero(rollout.start > place.later_than)
    among, slopes = basis.values(dose[treated]), basis.slopes(dose[treated])
    weight = rollout.weight[treated]
    rank = rank_of(among, weight)
    if rank < basis.size or treated.size <= basis.size:
        raise DesignRefused(
            what=f"the cohort of period {rollout.cohorts[place.cohort]}",
            needed=f"more than {basis.size} treated units, whose doses tell {basis.size} splines apart",
            found=f"{treated.size} units, whose doses tell {rank} apart",
            remedy="lower the number of knots or the degree, or leave that cohort out",
        )
    change = rollout.values[:, place.period] - rollout.values[:, place.base]
    size = np.abs(rollout.values[:, [place.period, place.base]]).max(initial=0.0)
    change[np.abs(change) < ROUNDING * size] = 0.0
    curve = dose_curve(change[treated][:, None], among, slopes, weight=weight)
    share = rollout.weight[untreated] / rollout.weight[untreated].sum()
    mean = share @ change[untreated]
    terms = curve.terms[:, 0].copy()
    terms[:-1] -= mean
    influence = sums_by_number(
        curve.influence[0], rollout.cluster[treated], n_clusters=rollout.n_clusters
    )
    apart = share * (change[untreated] - mean)
    influence[:, :-1] -= np.bincount(
        rollout.cluster[untreated], apart, minlength=rollout.n_clusters
    )[:, None]
    return terms, np.array([treated.size, untreated.size]), influence


def _shares(rollout: Rollout, started: Bools) -> tuple[Floats, Floats]:
    """Share of each cohort among the treated, and each cluster's influence on it."""
    treated = np.where(started, rollout.weight, 0.0)
    total = treated.sum()
    share = np.empty(rollout.cohorts.size)
    moved = np.empty((rollout.n_clusters, share.size))
    for k, g in enumerate(rollout.cohorts):
        mine = treated * (rollout.start == g)
        share[k] = mine.sum() / total
        apart = (mine - treated * share[k]) / total
        moved[:, k] = np.bincount(rollout.cluster, apart, minlength=rollout.n_clusters)
    return share, moved


def _members(
    rollout: Rollout, places: list[_Place], *, by_month: bool
) -> tuple[Ints, NDArray[np.bool_]]:
    """Months of the averages (0 for the only one), and the cells of each."""
    since = np.array([rollout.periods[p.period] - rollout.cohorts[p.cohort] for p in places])
    if not by_month:
        return np.zeros(1, dtype=np.int64), (since >= 0)[None, :]
    months = np.unique(since)
    return months, since[None, :] == months[:, None]


def _averages(
    effect: Floats, cohort: Ints, share: Floats, members: Bools, *, by_month: bool
) -> Averages:
    """Averages by month by the shares of cohorts; or of each cohort's mean, by these shares."""
    if by_month:
        return by_shares(effect, cohort, share, members=members)
    names = np.unique(cohort[members[0]])
    of_cohort = members & (cohort[None, :] == names[:, None])
    parts = names[:, None] == np.arange(share.size)
    return mean_by_shares(evenly(effect, share.size, members=of_cohort), share, parts=parts)


def _influence(rollout: Rollout, values: Floats, factor: float) -> Influence:
    return Influence(
        values=values, cluster=np.arange(rollout.n_clusters), factor=factor, level=rollout.level
    )


def _cells(
    rollout: Rollout,
    places: list[_Place],
    effect: Floats,
    counts: Ints,
    share: Floats,
    sums: Floats,
    factor: float,
) -> Cells:
    """Effects whatever the dose."""
    return Cells(
        cohort=rollout.cohorts[[p.cohort for p in places]],
        period=rollout.periods[[p.period for p in places]],
        effect=effect,
        n_treated=counts[:, 0],
        n_comparison=counts[:, 1],
        cohorts=rollout.cohorts,
        share=share,
        uncertainty=_influence(rollout, sums, factor),
        last=int(rollout.periods[-1]),
        df=rollout.df,
    )
