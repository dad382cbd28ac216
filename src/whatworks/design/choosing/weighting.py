"""What comparisons by weight share: months that hold both arms, covariates on one scale, refusals."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from whatworks.design.comparison import Chosen
from whatworks.design.parts import Candidates
from whatworks.errors import DesignRefused, OptionError
from whatworks.stats.balance import is_binary
from whatworks.stats.fitted import FittedScore
from whatworks.vocabulary import Estimand

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NO_COMPARISON = "no_comparison"
"""Ledger reason of units sought for in a month without the other arm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """Candidates of the months that hold both arms.

    Parameters
    ----------
    rows : ndarray of int, shape (n,)
        Their positions among the candidates.
    treated : ndarray of bool, shape (n,)
    weight : ndarray of shape (n,)
        Sampling weights.
    group : ndarray of int, shape (n,)
        Number of the month, from 0.
    basis : ndarray of shape (n, k)
        Covariates, and their squares when two moments are balanced, with mean 0 and standard
        deviation 1.
    names : tuple of str
        Covariate behind each column.
    """

    rows: Ints
    treated: Bools
    weight: Floats
    group: Ints
    basis: Floats
    names: tuple[str, ...]

    def chosen(
        self,
        candidates: Candidates,
        *,
        weight: Floats,
        fitted: tuple[FittedScore, ...],
        propensity: Floats | None = None,
    ) -> Chosen:
        """What was found for these rows, among all candidates."""
        n = candidates.treated.size
        return Chosen(
            weight=scatter(weight, self.rows, n),
            propensity=None
            if propensity is None
            else scatter(propensity, self.rows, n, elsewhere=np.nan),
            fitted=tuple(spread_out(f, self.rows, n) for f in fitted),
            lost=lost_months(candidates, self.rows),
        )


def weighed(candidates: Candidates, *, moments: int, what: str) -> Weighed:
    """Candidates as balancing needs them.

    Raises
    ------
    DesignRefused
        When no month holds both arms.
    """
    rows = rows_of_both(candidates, what=what)
    whole = rows.size == candidates.treated.size
    values = candidates.covariates if whole else candidates.covariates[rows]
    weight = candidates.weight[rows]
    basis, names = standardised(values, weight), candidates.names
    if moments == 2:
        numbers = np.flatnonzero(~is_binary(values))
        basis = np.column_stack([basis, standardised(basis[:, numbers] ** 2, weight)])
        names = (*names, *(names[j] for j in numbers))
    return Weighed(
        rows=rows,
        treated=candidates.treated[rows],
        weight=weight,
        group=np.unique(candidates.cell[rows], return_inverse=True)[1].astype(np.int64),
        basis=basis,
        names=names,
    )


def rows_of_both(candidates: Candidates, *, what: str) -> Ints:
    """Positions of candidates in months that hold both arms.

    Raises
    ------
    DesignRefused
        When there is none.
    """
    names, month = np.unique(candidates.cell, return_inverse=True)
    present = candidates.weight > 0
    both = np.ones(names.size, dtype=bool)
    for arm in (candidates.treated, ~candidates.treated):
        both &= np.bincount(month[arm & present], minlength=names.size) > 0
    rows = np.flatnonzero(both[month] & present)
    if not rows.size:
        raise DesignRefused(
            what=what,
            needed="a month with treated and untreated units",
            found=f"{names.size} months, each with one of the two only",
            remedy="widen eligibility or the months of entry",
        )
    return rows


def standardised(values: Floats, weight: Floats) -> Floats:
    """Columns with weighted mean 0 and standard deviation 1; a column that does not vary is 0."""
    share = weight / weight.sum()
    scaled = values - share @ values
    spread = np.sqrt(share @ scaled**2)
    largest = np.abs(values).max(axis=0, initial=0.0)
    scaled /= np.where(spread > 1e-14 * largest, spread, np.inf)
    return np.asarray(scaled)


def check_moments(moments: int) -> None:
    """Refuse moments that are neither 1 nor 2.

    Raises
    ------
    OptionError
    """
    if moments not in {1, 2}:
        raise OptionError(
            what="moments",
            needed="1 (means) or 2 (means and squares)",
            found=str(moments),
            remedy="write moments=1 or moments=2",
        )


def one_of(candidates: Candidates, estimands: tuple[str, ...], *, what: str) -> None:
    """Refuse an estimand that a comparison does not answer.

    Raises
    ------
    OptionError
    """
    if candidates.estimand not in estimands:
        overlap = candidates.estimand == Estimand.ATO
        other = "overlap weights" if overlap else "inverse probability"
        raise OptionError(
            what=f"estimand with {what}",
            needed="one of " + ", ".join(estimands),
            found=repr(candidates.estimand),
            remedy=f"ask for one of those, or use {other} for the {candidates.estimand}",
        )


def lost_months(candidates: Candidates, rows: Ints) -> dict[str, Bools]:
    """Units sought for in months that lack the other arm, by ledger reason."""
    out = np.ones(candidates.treated.size, dtype=bool)
    out[rows] = False
    return {NO_COMPARISON: out & candidates.sought}


def scatter(values: Floats, rows: Ints, n: int, *, elsewhere: float = 0.0) -> Floats:
    """Values of some rows among n."""
    if rows.size == n:
        return values
    found = np.full((n, *values.shape[1:]), elsewhere)
    found[rows] = values
    return found


def spread_out(fitted: FittedScore, rows: Ints, n: int) -> FittedScore:
    """An equation of some rows among n: the others take no part in it."""
    if rows.size == n:
        return fitted
    group = np.zeros(n, dtype=np.int64)
    group[rows] = fitted.group
    return replace(
        fitted,
        basis=scatter(fitted.basis, rows, n),
        group=group,
        score=scatter(fitted.score, rows, n),
        curvature=scatter(fitted.curvature, rows, n),
        slope=scatter(fitted.slope, rows, n),
        beyond=None if fitted.beyond is None else scatter(fitted.beyond, rows, n),
    )


def refuse_imbalance(found: Weighed, gap: Floats, *, reachable: Bools, what: str) -> None:
    """Refuse where no weights bring the means together, naming the covariate that stands in the way.

    Parameters
    ----------
    found : Weighed
    gap : ndarray of shape (k,)
        How much each covariate stands in the way: what is left of its difference of means, say.
    reachable : ndarray of bool, shape (k,)
        Whether the covariate could be balanced if it were the only one.
    what : str

    Raises
    ------
    DesignRefused
    """
    worst = int(np.argmax(np.where(reachable, 0.0, 1e6) + np.abs(gap)))
    alone = (
        "whatever their weights" if not reachable[worst] else "together with the other covariates"
    )
    raise DesignRefused(
        what=what,
        needed="comparisons that can be weighted to the means sought for, month by month",
        found=f"{found.names[worst]!r}, on which they cannot {alone}",
        remedy="leave out that covariate, merge its rare levels, or ask for stable weights with a "
        "tolerance",
    )


def reachable_alone(
    basis: Floats, group: Ints, *, arm: Bools, target: Floats, slack: Floats | float = 0.0
) -> Bools:
    """Whether weights over ``arm`` can give each covariate the mean ``target`` gives, one by one.

    Parameters
    ----------
    basis : ndarray of shape (n, k)
    group : ndarray of int, shape (n,)
    arm : ndarray of bool, shape (n,)
        Units to be weighted.
    target : ndarray of shape (n,)
        Weights of those whose mean is sought.
    slack : ndarray of shape (k,) or float
        By how much a mean may miss it.
    """
    n_groups = int(group.max()) + 1
    mass = np.bincount(group, weights=target, minlength=n_groups)
    low = np.full((n_groups, basis.shape[1]), np.inf)
    high = -low
    np.minimum.at(low, group[arm], basis[arm])
    np.maximum.at(high, group[arm], basis[arm])
    sought = target @ basis
    within = (slack + 1e-9) * mass.sum()
    return np.asarray((mass @ low <= sought + within) & (sought - within <= mass @ high))
