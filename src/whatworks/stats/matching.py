r"""Differences of matched means, their bias correction and their two variances.

Notation: treated :math:`i` with weight :math:`w_i` (sum one) and matches :math:`j\in M_i` with parts
:math:`s_{ij}` (sum one); a comparison carries :math:`v_j=\sum_i w_i s_{ij}`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KDTree

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedSets:
    """Matched sets as arrays.

    Parameters
    ----------
    treated, comparison : ndarray of int, shape (n_pairs,)
        Unit positions.
    part : ndarray of shape (n_pairs,)
        :math:`s_{ij}`.
    weight : ndarray of shape (n_units,)
        :math:`w_i` for treated units (any scale), ignored elsewhere.
    is_treated : ndarray of bool, shape (n_units,)
    """

    treated: Ints
    comparison: Ints
    part: Floats
    weight: Floats
    is_treated: NDArray[np.bool_]

    def restricted(self, observed: NDArray[np.bool_]) -> MatchedSets:
        """Sets with the unobserved units taken out and parts brought back to one."""
        kept = observed[self.treated] & observed[self.comparison]
        rows, others, part = self.treated[kept], self.comparison[kept], self.part[kept]
        total = np.bincount(rows, weights=part, minlength=self.weight.size)
        return MatchedSets(
            treated=rows,
            comparison=others,
            part=part / total[rows],
            weight=np.where(total > 0, self.weight, 0.0),
            is_treated=self.is_treated,
        )

    def signed_weights(self) -> Floats:
        r"""Weight of each unit in the effect: :math:`w_i` for treated, :math:`-v_j` for comparisons."""
        w = np.where(self.is_treated, self.weight, 0.0)
        w = w / w.sum()
        v = np.bincount(self.comparison, weights=w[self.treated] * self.part, minlength=w.size)
        return np.asarray(w - v)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedEffect:
    """Effects and what their variances need.

    Parameters
    ----------
    effect : ndarray of shape (n_outcomes,)
    influence : ndarray of shape (n_units, n_outcomes)
        Linear form around the regression of comparisons on covariates; sums over units to zero.
    """

    effect: Floats
    influence: Floats


def matched_effect(
    outcomes: Floats, covariates: Floats, sets: MatchedSets, *, bias_adjust: bool
) -> MatchedEffect:
    r"""Average effect on the treated and its influence by unit.

    .. math:: \hat\tau = \sum_i w_i y_i - \sum_j v_j y_j - (\bar x_w - \bar x_v)'\hat\beta

    the last term when ``bias_adjust``; :math:`\hat\beta` is the regression of comparisons' outcomes
    on covariates with weights :math:`v_j` (Abadie & Imbens 2011, doi:10.1198/jbes.2009.07333).
    The influence of a unit is its weight times its residual from that regression, centred within
    the treated, each arm scaled for the degrees of freedom it spends; summed within persons it
    accounts for a comparison used several times and for a person met in several months.

    Parameters
    ----------
    outcomes : ndarray of shape (n_units, n_outcomes)
        No missing value where the weight is not zero.
    covariates : ndarray of shape (n_units, k)
    sets : MatchedSets
    bias_adjust : bool

    Returns
    -------
    MatchedEffect
    """
    signed = sets.signed_weights()
    used = np.flatnonzero(signed)
    w, y, x = signed[used], outcomes[used], covariates[used]
    donors = w < 0
    slope, intercept, factor = _regression(y[donors], x[donors], -w[donors])
    residual = y - intercept - x @ slope
    residual[np.abs(residual) < 1e-12 * np.abs(y).max(axis=0, initial=0.0)] = 0.0
    effect = w @ residual if bias_adjust else w @ y
    centred = residual.copy()
    centred[~donors] -= w[~donors] @ residual[~donors]
    n_treated = int((~donors).sum())
    own = n_treated / (n_treated - 1) if n_treated > 1 else float("nan")
    influence = np.zeros_like(outcomes)
    influence[used] = w[:, None] * centred * np.sqrt(np.where(donors, factor, own))[:, None]
    return MatchedEffect(effect=np.asarray(effect), influence=influence)


def _regression(y: Floats, x: Floats, weight: Floats) -> tuple[Floats, Floats, float]:
    """Weighted least squares of every outcome at once; slope, intercept, and the HC1 factor."""
    share = weight / weight.sum()
    centre = share @ x
    root = np.sqrt(share)[:, None]
    slope, _, rank, _ = np.linalg.lstsq((x - centre) * root, (y - share @ y) * root, rcond=1e-10)
    intercept = share @ y - centre @ slope
    spare = y.shape[0] - int(rank) - 1
    return slope, intercept, y.shape[0] / spare if spare > 0 else float("nan")


def abadie_imbens(
    outcomes: Floats,
    covariates: Floats,
    sets: MatchedSets,
    *,
    bias_adjust: bool,
    observed: NDArray[np.bool_],
    same_arm: int = 1,
) -> Floats:
    r"""Covariance of matched effects for independent units, with replacement.

    .. math:: \hat V = \sum_i w_i^2(y_i-\hat y_i(0)-\hat\tau)^2
              + \sum_j \Big(v_j^2 - \sum_i w_i^2 s_{ij}^2\Big)\hat\sigma_j^2

    with :math:`\hat\sigma_j^2 = \frac{J}{J+1}(y_j-\bar y_{J(j)})^2` over the ``same_arm`` nearest
    comparisons of :math:`j` (Abadie & Imbens 2006, Theorem 7, doi:10.1111/j.1468-0262.2006.00655.x).

    Parameters
    ----------
    outcomes : ndarray of shape (n_units, n_outcomes)
    covariates : ndarray of shape (n_units, k)
        Whitened: nearness is Euclidean in them.
    sets : MatchedSets
    bias_adjust : bool
    observed : ndarray of bool, shape (n_units,)
        Units whose outcomes are known.
    same_arm : int
        J.

    Returns
    -------
    ndarray of shape (n_outcomes, n_outcomes)
        Off the diagonal, cross-products take the place of squares.
    """
    signed = sets.signed_weights()
    w = np.where(sets.is_treated, signed, 0.0)
    v = np.where(sets.is_treated, 0.0, -signed)
    adjusted = outcomes
    if bias_adjust:
        donors = v > 0
        slope, _, _ = _regression(outcomes[donors], covariates[donors], v[donors])
        adjusted = outcomes - covariates @ slope
    counterfactual = np.zeros_like(outcomes)
    for k in range(outcomes.shape[1]):
        counterfactual[:, k] = np.bincount(
            sets.treated, weights=sets.part * adjusted[sets.comparison, k], minlength=w.size
        )
    gap = adjusted - counterfactual
    gap = w[:, None] * (gap - w @ gap)
    squares = np.bincount(
        sets.comparison, weights=(w[sets.treated] * sets.part) ** 2, minlength=w.size
    )
    extra = np.sqrt(np.maximum(v**2 - squares, 0.0))
    arm = np.flatnonzero(~sets.is_treated & observed)
    spread = np.zeros_like(outcomes)
    spread[arm] = _own_arm_residual(outcomes[arm], covariates[arm], same_arm)
    rest = extra[:, None] * spread
    return np.asarray(gap.T @ gap + rest.T @ rest)


def _own_arm_residual(y: Floats, x: Floats, neighbours: int) -> Floats:
    """Outcome less the mean of the nearest of the same arm, scaled to be unbiased in square."""
    k = min(neighbours, y.shape[0] - 1)
    if k < 1:
        return np.full_like(y, np.nan)
    found = KDTree(x).query(x, k=k + 1, return_distance=False)
    itself = found == np.arange(y.shape[0])[:, None]
    # Among exact duplicates a unit may not find itself first: drop itself, else the farthest.
    itself[~itself.any(axis=1), -1] = True
    others = found[~itself].reshape(-1, k)
    return np.asarray(np.sqrt(k / (k + 1)) * (y - y[others].mean(axis=1)))
