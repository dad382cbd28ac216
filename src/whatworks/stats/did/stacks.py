r"""Sub-experiments stacked: each cohort beside units clean over its window, and what each counts for.

In sub-experiment :math:`a` with treated mass :math:`N^1_a` and comparison mass :math:`N^0_a`, the weights
of Wing, Freedman & Hollingsworth are 1 for the treated and

.. math:: Q_a = \frac{N^1_a/\sum_b N^1_b}{N^0_a/\sum_b N^0_b}

for the comparison. The weighted regression of outcomes on months since the start, interacted with
treatment, with effects of unit-by-stack and of period-by-stack, then gives
:math:`\sum_a \frac{N^1_a}{\sum_b N^1_b}\hat\delta_{a,e}`: the average of differences in differences of the
sub-experiments, each counting as its treated. Without weights, each counts as
:math:`N^1_aN^0_a/(N^1_a+N^0_a)`: by how precise it is.

References
----------
Wing, Freedman & Hollingsworth (2024), doi:10.3386/w32054. Cengiz, Dube, Lindner & Zipperer (2019),
doi:10.1093/qje/qjz014.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ROUNDING = 1e-12
"""Change, relative to the largest outcome, that counts as zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubExperiment:
    """One cohort beside its comparison over one window.

    Parameters
    ----------
    rows : ndarray of int, shape (b,)
        Units, increasing.
    effect : ndarray of shape (m,)
    influence : ndarray of shape (b, m)
    mass : tuple of float
        Weight of the treated and of the comparison.
    size : tuple of int
        Their numbers.
    share : float
        What the sub-experiment counts for, before division by the sum over all.
    share_influence : ndarray of shape (b,)
    """

    rows: Ints
    effect: Floats
    influence: Floats
    mass: tuple[float, float]
    size: tuple[int, int]
    share: float
    share_influence: Floats


def sub_experiment(
    values: Floats, treated: Bools, *, base: int, weight: Floats, rows: Ints, corrective: bool
) -> SubExperiment:
    r"""Differences in differences of one sub-experiment, and its part in their average.

    The part is :math:`W^1` with corrective weights, :math:`W^1W^0/(W^1+W^0)` without; a unit moves it by
    :math:`w_i` when treated (comparison: 0), or by :math:`w_i(1-p)^2` (:math:`w_ip^2`) with
    :math:`p=W^1/(W^1+W^0)`.

    Parameters
    ----------
    values : ndarray of shape (b, n_window)
        Finite.
    treated : ndarray of bool, shape (b,)
    base : int
        Column from which changes are counted.
    weight : ndarray of shape (b,)
        Sampling weights.
    rows : ndarray of int, shape (b,)
    corrective : bool
    """
    change = np.delete(values, base, axis=1) - values[:, [base]]
    change[np.abs(change) < ROUNDING * np.abs(values).max(initial=0.0)] = 0.0
    effect, influence = _difference(change, treated, weight=weight)
    mine, theirs = float(weight[treated].sum()), float(weight[~treated].sum())
    if corrective:
        share, moved = mine, np.where(treated, weight, 0.0)
    else:
        p = mine / (mine + theirs)
        share, moved = p * theirs, weight * np.where(treated, (1 - p) ** 2, p**2)
    return SubExperiment(
        rows=rows,
        effect=effect,
        influence=influence,
        mass=(mine, theirs),
        size=(int(treated.sum()), int((~treated).sum())),
        share=share,
        share_influence=moved,
    )


def _difference(change: Floats, treated: Bools, *, weight: Floats) -> tuple[Floats, Floats]:
    r"""Mean change of the treated less mean change of the others, and its influence.

    .. math:: \hat\delta = \bar{\Delta y}_{1} - \bar{\Delta y}_{0},\qquad
              \psi_i = \pm\frac{w_i}{W_{d_i}}(\Delta y_i-\bar{\Delta y}_{d_i})
    """
    effect, influence = np.zeros(change.shape[1]), np.empty_like(change)
    for arm, sign in ((treated, 1.0), (~treated, -1.0)):
        share = weight[arm] / weight[arm].sum()
        mean = share @ change[arm]
        effect += sign * mean
        influence[arm] = sign * share[:, None] * (change[arm] - mean)
    return effect, influence


def corrective_weight(masses: Floats) -> Floats:
    r""":math:`Q_a` of each sub-experiment.

    Parameters
    ----------
    masses : ndarray of shape (n_stacks, 2)
        Treated and comparison mass.

    Examples
    --------
    >>> corrective_weight(np.array([[10.0, 40.0], [10.0, 20.0]])).tolist()
    [0.75, 1.5]
    """
    parts = masses / masses.sum(axis=0)
    return np.asarray(parts[:, 0] / parts[:, 1])
