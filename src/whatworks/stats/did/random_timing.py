r"""Effects when the time of treatment was drawn at random, adjusted for outcomes before it.

With :math:`\bar Y_g` the mean path of cohort :math:`g`, :math:`S_g` its covariance and :math:`N_g` its size,
an estimand is :math:`\theta=\sum_g A_{\theta,g}\bar Y_g` and a difference that the draw makes nil on
average is :math:`\hat X=\sum_g A_{0,g}\bar Y_g`. Of the estimators
:math:`\hat\theta_\beta=\hat\theta-\beta\hat X`,

.. math:: \beta^* = \frac{\sum_g A_{0,g}S_gA_{\theta,g}'/N_g}{\sum_g A_{0,g}S_gA_{0,g}'/N_g}

has least variance; :math:`\beta=1` is a difference in differences, :math:`\beta=0` a difference of means.

References
----------
Roth & Sant'Anna (2023), doi:10.1086/726581.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Outcomes of cohorts as moments.

    Parameters
    ----------
    start : ndarray of int, shape (k,)
        Increasing; the last cohort is the one that others are compared with at the end.
    size : ndarray of shape (k,)
        Sums of weights.
    mean : ndarray of shape (k, n_periods)
    spread : ndarray of shape (k, n_periods, n_periods)
        Covariances, over the size less one.
    periods : ndarray of int, shape (n_periods,)
    """

    start: Ints
    size: Floats
    mean: Floats
    spread: Floats
    periods: Ints

    @classmethod
    def of(cls, values: Floats, start: Ints, *, weight: Floats, periods: Ints) -> Paths:
        """Moments of outcomes.

        Parameters
        ----------
        values : ndarray of shape (n, n_periods)
            Finite.
        start : ndarray of int, shape (n,)
            Every cohort of more than one unit.
        weight : ndarray of shape (n,)
        periods : ndarray of int, shape (n_periods,)
        """
        names = np.unique(start)
        size = np.empty(names.size)
        mean = np.empty((names.size, periods.size))
        spread = np.empty((names.size, periods.size, periods.size))
        for k, g in enumerate(names):
            mine = start == g
            w, y = weight[mine], values[mine]
            size[k] = w.sum()
            mean[k] = w @ y / size[k]
            apart = y - mean[k]
            spread[k] = apart.T @ (w[:, None] * apart) / (size[k] - 1)
        return cls(start=names, size=size, mean=mean, spread=spread, periods=periods)

    @property
    def told(self) -> Bools:
        """Cells with an effect: after the start, before the last cohort's, shape (k, n_periods)."""
        after = self.periods >= self.start[:, None]
        return np.asarray(after & (self.periods < self.start[-1]))

    def weights(self, average: str) -> Floats:
        """What each cell counts for in an average, shape (k, n_periods).

        Parameters
        ----------
        average : str
            ``"simple"``: by size; ``"cohort"``: mean of each cohort, by size; ``"period"``: by size
            within a period, periods alike.
        """
        held = self.told * self.size[:, None]
        if average == "cohort":
            held = held / np.maximum(self.told.sum(axis=1, keepdims=True), 1)
        if average == "period":
            total = held.sum(axis=0)
            held = held / np.where(total > 0, total, 1.0)
        return np.asarray(held / held.sum())

    def weights_of_month(self, month: int) -> Floats:
        """The same for the mean over cohorts at one distance from the start."""
        held = self.told * (self.periods - self.start[:, None] == month) * self.size[:, None]
        return np.asarray(held / held.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """Effects.

    Parameters
    ----------
    effect : ndarray of shape (m,)
    beta : ndarray of shape (m,)
        What of the difference before treatment is taken away.
    neyman : ndarray of shape (m, m)
        Covariance if effects were the same for all; too large otherwise.
    refined : ndarray of shape (m, m)
        Less what outcomes before anyone is treated tell of how effects differ.
    """

    effect: Floats
    beta: Floats
    neyman: Floats
    refined: Floats


def timed(paths: Paths, weights: Sequence[Floats], *, beta: float | None, last_only: bool) -> Timed:
    r"""Averages of effects, and their covariances.

    .. math:: \widehat V=\sum_g \frac{D_gS_gD_g'}{N_g},\quad D_g=A_{\theta,g}-\beta A_{0,g};\qquad
              \widehat V_r=\widehat V-\frac1N B\,\bar S_{00}\,B',\quad
              B=\sum_g A_{\theta,g}S_{g,\cdot 0}S_{g,00}^{+}

    with :math:`0` the periods before anyone is treated and :math:`\bar S_{00}` the mean over cohorts.

    Parameters
    ----------
    paths : Paths
    weights : sequence of ndarray of shape (k, n_periods)
        Of each average.
    beta : float, optional
        None for that of least variance.
    last_only : bool
        Compare with the last cohort alone rather than with all those not treated yet.
    """
    pairs = [_contrasts(paths, held, last_only=last_only) for held in weights]
    wanted, nil = (np.array([pair[j] for pair in pairs]) for j in (0, 1))
    scaled = paths.spread / paths.size[:, None, None]
    chosen = np.full(len(pairs), 0.0 if beta is None else beta)
    if beta is None:
        along = np.einsum("mkt,kts,mks->m", nil, scaled, wanted, optimize=True)
        length = np.einsum("mkt,kts,mks->m", nil, scaled, nil, optimize=True)
        chosen = np.divide(along, length, out=np.zeros(along.size), where=length > 0)
    mixed = wanted - chosen[:, None, None] * nil
    neyman = np.einsum("mkt,kts,nks->mn", mixed, scaled, mixed, optimize=True)
    early = paths.periods < paths.start[0]
    among = paths.spread[:, early][:, :, early]
    toward = np.linalg.pinv(among, hermitian=True) @ paths.spread[:, early]
    told = np.einsum("kts,mks->mt", toward, wanted, optimize=True)
    spared = told @ among.mean(axis=0) @ told.T / paths.size.sum()
    return Timed(
        effect=np.einsum("mkt,kt->m", mixed, paths.mean),
        beta=chosen,
        neyman=(neyman + neyman.T) / 2,
        refined=neyman - (spared + spared.T) / 2,
    )


def _contrasts(paths: Paths, held: Floats, *, last_only: bool) -> tuple[Floats, Floats]:
    r""":math:`A_\theta` and :math:`A_0` of one average, each of shape (k, n_periods)."""
    wanted, nil = np.zeros_like(held), np.zeros_like(held)
    for k, t in zip(*np.nonzero(held), strict=True):
        others = paths.start > paths.periods[t]
        if last_only:
            others = np.arange(paths.start.size) == paths.start.size - 1
        part = held[k, t] * others * paths.size / paths.size[others].sum()
        base = np.flatnonzero(paths.periods < paths.start[k])[-1]
        for matrix, column in ((wanted, t), (nil, base)):
            matrix[:, column] -= part
            matrix[k, column] += held[k, t]
    return wanted, nil
