"""Effects fitted cohort by cohort, each on its own units, brought together as cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatworks.estimate.cells import Cells
from whatworks.estimate.rollouts import Rollout
from whatworks.stats.did.summed import summed_by_cluster
from whatworks.stats.uncertainty import factor_of_clusters

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortEffects:
    """Effects of one cohort.

    Parameters
    ----------
    cohort : int
    periods : ndarray of int, shape (m,)
    effect : ndarray of shape (m,)
    rows : ndarray of int, shape (b,)
        Units that tell them.
    influence : ndarray of shape (b, m)
    n_treated, n_comparison : ndarray of int, shape (m,)
    """

    cohort: int
    periods: Ints
    effect: Floats
    rows: Ints
    influence: Floats
    n_treated: Ints
    n_comparison: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """What cohorts count for in averages.

    Parameters
    ----------
    value : ndarray of shape (n_cohorts,)
    influence : ndarray of shape (n, n_cohorts)
        Of each unit.
    """

    value: Floats
    influence: Floats


def shares(moved: Floats, counted: Floats, *, weight: Floats) -> Shares:
    r"""Shares of a total and their influence, :math:`(m_i-w_i\,p)/W`.

    Parameters
    ----------
    moved : ndarray of shape (n, n_cohorts)
        What each unit adds to the mass of each cohort, to first order.
    counted : ndarray of shape (n_cohorts,)
        Mass of each cohort.
    weight : ndarray of shape (n,)
        What each unit adds to the total, whose size is their sum.
    """
    total = weight.sum()
    share = counted / total
    return Shares(value=share, influence=(moved - np.outer(weight, share)) / total)


def shares_of_units(rollout: Rollout, cohorts: Ints, *, counts: Bools) -> Shares:
    """Shares of cohorts among all units.

    Parameters
    ----------
    rollout : Rollout
    cohorts : ndarray of int, shape (n_cohorts,)
    counts : ndarray of bool, shape (n,)
        Units of a cohort that its effect is about.
    """
    mine = (rollout.start[:, None] == cohorts) & counts[:, None]
    moved = rollout.weight[:, None] * mine
    return shares(moved, moved.sum(axis=0), weight=rollout.weight)


def cells_of_cohorts(
    rollout: Rollout,
    parts: Sequence[CohortEffects],
    *,
    counted: Shares,
    anticipation: int,
    small_sample: bool,
) -> Cells:
    """Cells with their uncertainty, one part after the other.

    Parameters
    ----------
    rollout : Rollout
    parts : sequence of CohortEffects
        By increasing cohort.
    counted : Shares
        What the cohorts of the parts count for.
    anticipation : int
    small_sample : bool
        Multiply the covariance by G/(G−1).
    """
    n, sizes = rollout.n_clusters, [part.periods.size for part in parts]

    def influence(rows: Ints) -> Floats:
        told = np.zeros((rows.size, sum(sizes) + len(parts)))
        place = np.full(rollout.start.size, -1)
        place[rows] = np.arange(rows.size)
        first = 0
        for part, size in zip(parts, sizes, strict=True):
            here = place[part.rows]
            told[here[here >= 0], first : first + size] = part.influence[here >= 0]
            first += size
        told[:, first:] = counted.influence[rows]
        return told

    uncertainty = summed_by_cluster(
        influence,
        n_terms=sum(sizes) + len(parts),
        cluster=rollout.cluster,
        n_clusters=n,
        factor=factor_of_clusters(n, small_sample=small_sample),
        level=rollout.level,
    )
    cohorts = np.array([part.cohort for part in parts], dtype=np.int64)
    return Cells(
        cohort=np.repeat(cohorts, sizes),
        period=np.concatenate([part.periods for part in parts]),
        effect=np.concatenate([part.effect for part in parts]),
        n_treated=np.concatenate([part.n_treated for part in parts]),
        n_comparison=np.concatenate([part.n_comparison for part in parts]),
        cohorts=cohorts,
        share=counted.value,
        uncertainty=uncertainty,
        last=int(rollout.periods[-1]),
        anticipation=anticipation,
        df=rollout.df,
    )
