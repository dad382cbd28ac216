r"""The saturation regression of a design through its markets: what cluster-robust tests are read off.

.. math:: Y_i = \alpha_s + \sum_t \delta_t 1\{p_c=t\} + \sum_t \beta_t Z_i 1\{p_c=t\} + X_i'\gamma + u_i

over the eligible, strata as columns, so that CR2, the jackknife and wild bootstraps know what they cost.
Further columns of exposure can be set beside: a test of them is a test that the share of the market, and
one's own assignment, are all that matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.estimate.reassigned.two_stage import Assigned
from whatworks.stats.clusters.blocks import ClusterBlocks, cluster_blocks
from whatworks.stats.clusters.covariance import ALONE
from whatworks.stats.displacement.exposures import Exposures, by_share, levels_of, pooled
from whatworks.stats.uncertainty import sums_by_number
from whatworks.vocabulary import WEIGHT

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POOLED: Final = "pooled"
MOST_STRATA: Final = 120
"""Strata beyond which they are taken out of every column beforehand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureRegression:
    """A regression through its markets.

    Parameters
    ----------
    blocks : ClusterBlocks
        Columns: those of exposure, then further ones, strata, covariates.
    exposures : Exposures
    n_further : int
    rows : ndarray of int, shape (n,)
        Of the eligible, those with an outcome.
    of_strata : ndarray of shape (n_markets, k + 2) or None
        Where strata were taken out beforehand: for the indicator of each market's stratum, brought to
        length one, its products with turned columns, with itself, and with residuals. Without weights
        that indicator is the last column of the blocks too, so that CR2 knows what strata cost: with few
        markets in each, errors that do not are too small.
    spare : float
        Where strata were taken out beforehand, markets less strata: Satterthwaite's degrees of freedom
        are then not to be had. Else NaN.
    """

    blocks: ClusterBlocks
    exposures: Exposures
    n_further: int
    rows: Ints
    of_strata: Floats | None = None
    spare: float = float("nan")

    def form(self, term: str, group: str) -> Floats | None:
        """An effect as a form of the coefficients, shape (k,); None where it is not among them."""
        there = list(zip(self.exposures.terms, self.exposures.groups, strict=True))
        if (term, group) not in there:
            return None
        form = np.zeros(self.blocks.k)
        form[: self.exposures.n_columns] = self.exposures.forms[there.index((term, group))]
        return form

    def influence(self, form: Floats) -> Floats:
        """Influence of each market on a form, shape (n_markets,)."""
        return np.asarray(self.blocks.scores @ (form @ self.blocks.turn))

    def without(self, form: Floats) -> Floats:
        r"""The form without each market in turn, shape (n_markets,).

        :math:`\hat\theta_{(-c)}=\hat\theta-(I-Z_c'W_cZ_c)^{-1}Z_c'W_c\hat u_c` in turned columns, the
        stratum's among them; NaN where a column is of that market alone.
        """
        blocks = self.blocks
        own, scores, turned = blocks.own, blocks.scores, form @ blocks.turn
        if self.of_strata is not None and self.of_strata.shape[1] == blocks.k + 2:
            k = blocks.k
            edge = self.of_strata[:, : k + 1]
            own = np.concatenate([own, edge[:, None, :k]], axis=1)
            own = np.concatenate([own, edge[:, :, None]], axis=2)
            scores = np.column_stack([scores, self.of_strata[:, -1]])
            turned = np.append(turned, 0.0)
        leverage, vectors = np.linalg.eigh(own)
        alone = leverage[:, -1] > 1 - ALONE
        left = 1 / np.where(alone[:, None], 1.0, 1 - leverage)
        moved = np.einsum(
            "i,gik,gk,gjk,gj->g", turned, vectors, left, vectors, scores, optimize=True
        )
        return np.where(alone, np.nan, form @ blocks.beta - moved)

    @property
    def further(self) -> Floats:
        """Forms that read the further columns, shape (n_further, k)."""
        begin = self.exposures.n_columns
        return np.eye(self.blocks.k)[begin : begin + self.n_further]


def exposures_of(assigned: Assigned, group: str) -> Exposures:
    """Columns and effects of the regression whose group this is: pooled, or by share."""
    if group == POOLED:
        return pooled(arms=np.asarray(assigned.arms().any(axis=0)))
    return by_share(assigned.shares, arms=assigned.arms(), markets=assigned.markets_at())


def levels(assigned: Assigned, group: str, share: Floats) -> Ints:
    """Level of exposure of each share, shape of ``share``."""
    if group == POOLED:
        return (share > 0).astype(np.int64)
    return levels_of(share, assigned.shares)


def exposure_regression(
    assigned: Assigned,
    month: int,
    *,
    group: str = "all",
    outcome: Floats | None = None,
    further: Floats | None = None,
    most_strata: int = MOST_STRATA,
) -> ExposureRegression:
    """The regression of one month's outcome.

    Parameters
    ----------
    assigned : Assigned
    month : int
    group : str
        ``"pooled"``, or any other for shares apart.
    outcome : ndarray of shape (n_eligible,), optional
        Something else than the outcome, known of everyone, such as a covariate: regressed without
        covariates.
    further : ndarray of shape (n_eligible, q), optional
        Columns beside those of exposure.
    most_strata : int
        Beyond, strata are taken out beforehand.

    Raises
    ------
    DesignRefused
        When columns determine one another.
    """
    design = assigned.design
    units = design.units[WEIGHT].to_numpy(dtype=float)[assigned.rows]
    weight = assigned.weight(month) if outcome is None else units
    rows = np.flatnonzero(weight > 0)
    y = design.outcomes.at(month)[assigned.rows] if outcome is None else outcome
    market = assigned.market[rows]
    exposures = exposures_of(assigned, group)
    level = levels(assigned, group, assigned.share)[market]
    strata = assigned.stratum[market]
    beside = np.empty((rows.size, 0)) if further is None else further[rows]
    x = assigned.covariates[rows] if outcome is None else np.empty((rows.size, 0))
    exposed = np.column_stack([exposures.columns(assigned.treated[rows], level), beside])
    y, weight = y[rows], weight[rows]
    names, block = np.unique(strata, return_inverse=True)
    even = bool(np.ptp(weight) == 0)
    within = names.size > most_strata
    if within:
        both = _within(np.column_stack([y, exposed, x]), weight, block)
        y, columns = both[:, 0], both[:, 1:]
    else:
        columns = np.column_stack([exposed, np.eye(names.size)[block], x])
    blocks = cluster_blocks(columns, y, market, weight=None if even else weight)
    of_strata = _of_strata(blocks, columns, y, weight, market, block) if within else None
    if of_strata is not None and even:
        blocks = _with_strata(blocks, of_strata)
    return ExposureRegression(
        blocks=blocks,
        exposures=exposures,
        n_further=beside.shape[1],
        rows=rows,
        of_strata=of_strata,
        spare=float(np.unique(market).size - names.size) if within else float("nan"),
    )


def _with_strata(blocks: ClusterBlocks, of_strata: Floats) -> ClusterBlocks:
    """Blocks with the indicator of each market's own stratum as one column more."""
    k = blocks.k
    gram = np.zeros((blocks.n_clusters, k + 1, k + 1))
    gram[:, :k, :k] = blocks.gram
    gram[:, :, k] = gram[:, k, :] = of_strata[:, : k + 1]
    turn = np.eye(k + 1)
    turn[:k, :k] = blocks.turn
    return ClusterBlocks(
        n=blocks.n,
        turn=turn,
        gram=gram,
        score=np.column_stack([blocks.score, of_strata[:, -1]]),
        beta=np.append(blocks.beta, 0.0),
    )


def _of_strata(
    blocks: ClusterBlocks,
    columns: Floats,
    y: Floats,
    weight: Floats,
    market: Ints,
    block: NDArray[np.intp],
) -> Floats:
    """Products of the indicator of a market's stratum, of length one, by market."""
    w = weight / weight.mean()
    root = np.sqrt(np.bincount(block, weights=w))[block]
    number = np.unique(market, return_inverse=True)[1]
    turned = columns @ blocks.turn * (w / root)[:, None]
    residual = (y - columns @ blocks.beta) * w / root
    both = np.column_stack([turned, w / root**2, residual])
    return sums_by_number(both, number, n_clusters=blocks.n_clusters)


def _within(columns: Floats, weight: Floats, block: NDArray[np.intp]) -> Floats:
    """Columns less their weighted means by stratum."""
    mass = np.bincount(block, weights=weight)
    parts = [c - (np.bincount(block, weights=weight * c) / mass)[block] for c in columns.T]
    return np.column_stack(parts)
