r"""The regression that gives an estimate, where there is one: what cluster-robust tests are read off.

On a rollout, effects :math:`e` months after the start are coefficients of long differences: for each
cohort :math:`g` observed then, one block of its units and of those that stand beside it,

.. math:: y_{i,g+e}-y_{i,b(g)} = \alpha_g + \delta_g D_{ig} + D_{ig}(x_i-\bar x_g)'\gamma_g
          + (x_i-\bar x_g)'\eta_g + u_{ig}

with :math:`b(g)` the last period before the start and :math:`\bar x_g` the mean of the cohort (terms in
:math:`x` only with covariates: :math:`\delta_g` is then the effect on the treated by outcome
regression). The hypothesis is :math:`\sum_g p_g\delta_g=0`, the shares :math:`p_g` of cohorts, and
:math:`\bar x_g`, held at what they are in the sample. On the clock of entry blocks are cohorts, or all
at once, and the outcome its change since the month before entry, or its level; weights of the design are
taken as known.

A regression is kept only when its coefficient is the estimate: none tests something else instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused
from whatworks.stats.clusters.blocks import ClusterBlocks, cluster_blocks
from whatworks.vocabulary import ENTRY_MONTH, SAMPLING, TREATED, WEIGHT, Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SAME: Final = 1e-6
"""Relative gap within which two points are the same."""
MOST_COLUMNS: Final = 60
"""Coefficients beyond which a regression is not tried: few clusters could tell nothing of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LongDifference:
    """A regression through its clusters, and the form of its coefficients that is the estimate.

    Parameters
    ----------
    blocks : ClusterBlocks
    contrast : ndarray of shape (k,)
    outcome : str
        ``"change"`` or ``"level"``.
    adjusted : bool
        Whether covariates are in it.
    """

    blocks: ClusterBlocks
    contrast: Floats
    outcome: str
    adjusted: bool

    @property
    def estimate(self) -> float:
        """The form."""
        return float(self.contrast @ self.blocks.beta)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of a regression: which unit, in which block, treated or not, its outcome and weight."""

    unit: Ints
    block: Ints
    treated: Bools
    y: Floats
    weight: Floats
    outcome: str


def regression_of(
    design: Design, month: int, point: float, *, cluster: Ints, anticipation: int = 0
) -> LongDifference | None:
    """The regression whose coefficient is ``point``; None where none of those tried is.

    Parameters
    ----------
    design : Design
        The one fitted.
    month : int
    point : float
        The estimate.
    cluster : ndarray of int, shape (n_units,)
    anticipation : int
        Periods before the start left out, on a rollout.
    """
    rollout = Supply.ROLLOUT in design.supplies
    tried = _of_rollout(design, month, anticipation) if rollout else _of_entry(design, month)
    covariates = design.units[list(design.covariates)].to_numpy(dtype=float)
    for rows in tried:
        for adjusted in (False, True) if covariates.shape[1] else (False,):
            found = _regression(rows, covariates if adjusted else covariates[:, :0], cluster)
            if found is None:
                continue
            if abs(found.estimate - point) <= SAME * max(abs(point), 1e-12):
                return found
    return None


def _together(rows: _Rows, number: Ints) -> tuple[_Rows, Ints, Ints]:
    """One row per block, arm and cluster: mean outcome, its cluster, and how many it stands for."""
    blocks, block = np.unique(rows.block, return_inverse=True)
    n_clusters = int(number.max()) + 1
    cell = (block * 2 + rows.treated) * n_clusters + number
    size = 2 * blocks.size * n_clusters
    count = np.bincount(cell, minlength=size)
    held = np.flatnonzero(count)
    mean = np.bincount(cell, weights=rows.y, minlength=size)[held] / count[held]
    arm, cluster = np.divmod(held, n_clusters)
    made = _Rows(
        held,
        blocks[arm // 2],
        arm % 2 == 1,
        mean,
        np.ones(held.size),
        rows.outcome,
    )
    return made, cluster, count[held]


def _regression(rows: _Rows, covariates: Floats, cluster: Ints) -> LongDifference | None:
    """Columns block by block: constant, treatment, and covariates on either side."""
    number, count = cluster[rows.unit], None
    even = bool(np.ptp(rows.weight) == 0)
    if even and not covariates.shape[1]:
        rows, number, count = _together(rows, number)
    mass_of = rows.weight if count is None else count.astype(float)
    columns: list[Floats] = []
    shares, places = [], []
    for b in np.unique(rows.block):
        here = (rows.block == b).astype(float)
        treated = here * rows.treated
        mass = float(mass_of @ treated)
        if not mass or not float(mass_of @ (here - treated)):
            return None
        places.append(len(columns) + 1)
        shares.append(mass)
        columns += [here, treated]
        if covariates.shape[1]:
            x = covariates[rows.unit]
            centred = x - (rows.weight * treated) @ x / mass
            columns += list((centred * here[:, None]).T) + list((centred * treated[:, None]).T)
    if len(columns) > MOST_COLUMNS:
        return None
    try:
        blocks = cluster_blocks(
            np.column_stack(columns),
            rows.y,
            number,
            weight=None if even else rows.weight,
            count=count,
        )
    except DesignRefused:  # covariates of this block repeat each other: not this regression
        return None
    contrast = np.zeros(len(columns))
    contrast[places] = np.array(shares) / sum(shares)
    return LongDifference(
        blocks=blocks,
        contrast=contrast,
        outcome=rows.outcome,
        adjusted=bool(covariates.shape[1]),
    )


def _of_rollout(design: Design, month: int, anticipation: int) -> Iterator[_Rows]:
    """Long differences of a rollout, beside those never treated, or not yet."""
    values, periods = design.outcomes.values, np.array(design.outcomes.months)
    start = design.units[ENTRY_MONTH].to_numpy()
    weight = design.units[SAMPLING].to_numpy(dtype=float)
    whole = ~np.isnan(values).any(axis=1)
    last = periods[-1]
    cohorts = [
        int(g)
        for g in np.unique(start[whole & (start <= last)])
        if g + month in periods and (periods < g - anticipation).any()
    ]
    for not_yet in (False, True):
        unit, block, treated, y = [], [], [], []
        for g in cohorts:
            base = int(np.flatnonzero(periods < g - anticipation)[-1])
            at = int(np.flatnonzero(periods == g + month)[0])
            beside = start > (
                max(g + month, int(periods[base])) + anticipation if not_yet else last
            )
            rows = np.flatnonzero(whole & ((start == g) | beside))
            unit.append(rows)
            block.append(np.full(rows.size, g))
            treated.append(start[rows] == g)
            y.append(values[rows, at] - values[rows, base])
        if unit:
            rows = np.concatenate(unit)
            yield _Rows(
                rows,
                np.concatenate(block),
                np.concatenate(treated),
                np.concatenate(y),
                weight[rows],
                "change",
            )


def _of_entry(design: Design, month: int) -> Iterator[_Rows]:
    """Levels or changes on the clock of entry, all at once or by cohort of entry."""
    outcomes = design.outcomes
    at, months = outcomes.at(month), np.array(outcomes.months)
    weight = design.units[WEIGHT].to_numpy(dtype=float) * outcomes.counted(month)
    before = np.flatnonzero(months < 0)
    levels: list[tuple[str, Floats]] = [("level", at)]
    if before.size and month not in months[before[-1:]]:
        levels.append(("change", at - outcomes.values[:, before[-1]]))
    entry = design.units[ENTRY_MONTH].to_numpy()
    treated = design.units[TREATED].to_numpy()
    for name, y in levels:
        kept = np.flatnonzero((weight > 0) & ~np.isnan(y))
        for block in (np.zeros(kept.size, dtype=np.int64), entry[kept]):
            yield _Rows(kept, block, treated[kept], y[kept], weight[kept], name)
