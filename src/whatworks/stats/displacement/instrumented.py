r"""Two-stage least squares from the sums of a regression on instruments: participation beside assignment.

With :math:`Z` the turned columns of every exogenous variable, instruments among them (:math:`Z'WZ=I`,
strata taken out), endogenous :math:`D`, and included exogenous :math:`E=Ze`,

.. math:: R=[Z'WD,\ e],\qquad \hat b=(R'R)^{-1}R'Z'Wy,\qquad
          \psi_c=(R'R)^{-1}R'Z_c'W_c\,(y-[D,E]\hat b)_c

since the projection of :math:`[D,E]` on the instruments is :math:`ZR`. All is read off sums by market
in which participations are further outcomes.

References
----------
Imai, Jiang & Malani (2021), doi:10.1080/01621459.2020.1775612; Crépon et al. (2013),
doi:10.1093/qje/qjt001; Sanderson & Windmeijer (2016), doi:10.1016/j.jeconom.2015.06.004.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.displacement.absorbed import Absorbed
from whatworks.stats.displacement.joint import FTest, wald
from whatworks.stats.displacement.small_sample import Adjusted

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REPEATED: Final = 1e-8
"""Length, of columns of length one, below which nothing is left of them beside others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """What two-stage least squares reads of rows: products with the instruments.

    Parameters
    ----------
    endogenous : ndarray of shape (m, k)
        :math:`Z'WD`.
    exogenous : ndarray of shape (m, e)
        Included exogenous columns in those of :math:`Z`.
    outcome : ndarray of shape (m, q)
        :math:`Z'Wy`.
    excluded : ndarray of shape (m, l)
        Instruments that are not included, in columns of :math:`Z`.
    """

    endogenous: Floats
    exogenous: Floats
    outcome: Floats
    excluded: Floats

    @property
    def identified(self) -> bool:
        """Whether instruments move every endogenous variable in a direction of its own."""
        regressors = np.hstack([self.endogenous, self.exogenous])
        size = np.linalg.norm(regressors, axis=0)
        if not (size > 0).all() or regressors.shape[1] > regressors.shape[0]:
            return False
        values = np.linalg.svd(regressors / size, compute_uv=False)
        return bool(values[-1] > 1e-8 * values[0])


def reduced(
    fit: Absorbed, *, endogenous: Ints, outcome: Ints, included: Floats, excluded: Floats
) -> Reduced:
    """Products of a regression on instruments.

    Parameters
    ----------
    fit : Absorbed
        Of outcomes and participations alike on every exogenous column.
    endogenous, outcome : ndarray of int
        Which outcomes of the regression are participations, and which are explained.
    included, excluded : ndarray of shape (K, e) and (K, l)
        Columns of the equation and instruments, as combinations of the columns of the sums; of those
        included, what repeats others is left out.
    """
    whole = fit.sums.by_weight.gram[:, :-1, :-1].sum(axis=0)
    turned = fit.turn.T @ whole
    return Reduced(
        endogenous=fit.turned[:, endogenous],
        exogenous=_span(_unit(turned @ included)),
        outcome=fit.turned[:, outcome],
        excluded=turned @ excluded,
    )


def _span(columns: Floats) -> Floats:
    """Orthonormal basis of columns, none of which is long beside another."""
    u, values, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(u[:, values > REPEATED])


def _unit(columns: Floats) -> Floats:
    """Columns brought to length one, those of no length left out."""
    size = np.linalg.norm(columns, axis=0)
    return np.asarray(columns[:, size > 0] / size[size > 0])


def influence(
    found: Adjusted, products: Reduced, coefficients: Floats, *, endogenous: Ints, outcome: Ints
) -> Floats:
    """Of each market on the coefficients of participations.

    By CR2, scores are those of the regression on instruments, adjusted: that of as many instruments as
    participations is then CR2 of the effects of assignment; of more, what instruments leave is as it is.

    Parameters
    ----------
    found : Adjusted
        The regression on instruments, by CR1 or CR2.
    products : Reduced
    coefficients : ndarray of shape (k + e, q)
    endogenous, outcome : ndarray of int

    Returns
    -------
    ndarray of shape (n_markets, k + e, q)
    """
    fit = found.fit
    k = endogenous.size
    scores = found.scores[:, :-1]
    regressors = np.hstack([products.endogenous, products.exogenous])
    own = scores[:, :, outcome] - scores[:, :, endogenous] @ coefficients[:k]
    # Scores of outcomes are those of residuals given all instruments: what these explain comes back.
    gap = products.outcome - regressors @ coefficients
    gram = _turned_gram(fit)
    factor = np.sqrt(fit.small_sample()) if found.kind == "CR1" else 1.0
    own = own + factor * (gram @ gap)
    size = np.abs(gram).max(axis=(1, 2))[:, None, None] * np.abs(products.outcome).max(initial=0.0)
    own = np.where(np.abs(own) <= 1e-12 * size, 0.0, own)
    bread = np.linalg.pinv(regressors.T @ regressors) @ regressors.T
    if (
        found.kind == "CR1"
    ):  # the equation has fewer coefficients than the regression on instruments
        spare = fit.sums.n - regressors.shape[1] - fit.sums.n_strata
        own = (
            own * np.sqrt((fit.sums.n - fit.n_coefficients) / spare) if spare > 0 else own * np.nan
        )
    return np.asarray(np.einsum("km,gmq->gkq", bread, own))


def _turned_gram(fit: Absorbed) -> Floats:
    gram = fit.sums.by_weight.gram[:, :-1, :-1]
    return np.asarray(fit.turn.T @ gram @ fit.turn)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstStage:
    """How much instruments move one participation.

    Parameters
    ----------
    alone : FTest
        That no instrument moves it, clustered by market.
    conditional : FTest
        That none moves what other participations leave of it (Sanderson & Windmeijer 2016); as ``alone``
        with one participation.
    """

    alone: FTest
    conditional: FTest


def first_stages(found: Adjusted, products: Reduced, *, endogenous: Ints) -> tuple[FirstStage, ...]:
    """Strength of instruments, participation by participation.

    Parameters
    ----------
    found : Adjusted
    products : Reduced
    endogenous : ndarray of int
    """
    scores = found.scores[:, :-1]
    # What instruments add to the exogenous columns included.
    basis = beside(products.excluded, products.exogenous)
    df = float(found.fit.sums.n_markets - 1)
    stages = []
    for j in range(endogenous.size):
        own = basis.T @ products.endogenous[:, j]
        mine = scores[:, :, endogenous[j]] @ basis
        alone = wald(own, mine.T @ mine, df=df)
        others = np.delete(np.arange(endogenous.size), j)
        if not others.size:
            stages.append(FirstStage(alone=alone, conditional=alone))
            continue
        other = basis.T @ products.endogenous[:, others]
        slope = np.linalg.lstsq(other, own, rcond=None)[0]
        left = mine - np.einsum("gmk,ml,k->gl", scores[:, :, endogenous[others]], basis, slope)
        test = _left(own - other @ slope, left, others.size, df)
        stages.append(FirstStage(alone=alone, conditional=test))
    return tuple(stages)


def _left(value: Floats, influence_of: Floats, n_others: int, df: float) -> FTest:
    """Test of what is left, which lies in as many dimensions fewer as there are other participations."""
    covariance = influence_of.T @ influence_of
    q = value.size - n_others
    plain = wald(value, covariance, df=df)
    if q < 1:
        return FTest(statistic=float("nan"), df=0.0, df_residual=df)
    return FTest(statistic=plain.statistic * value.size / q, df=float(q), df_residual=df)


def beside(columns: Floats, others: Floats) -> Floats:
    """Orthonormal basis of what columns have beside others, which are orthonormal."""
    columns = _unit(columns)
    return _span(columns - others @ (others.T @ columns))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A ratio of two estimates.

    Parameters
    ----------
    value, std_error : float
        By the delta method: to be read where ``strength`` is large only.
    strength : float
        Square of the denominator over its standard error: the F of a first stage.
    """

    value: float
    std_error: float
    strength: float


def ratio(top: float, below: float, covariance: Floats) -> Ratio:
    r"""Ratio :math:`\hat a/\hat b`, variance :math:`(V_a-2rV_{ab}+r^2V_b)/\hat b^2`.

    That of an effect on outcomes over the effect on participation is the effect on those whom it moved
    (Imai, Jiang & Malani 2021): complier average direct effect where the arm moves it, spillover effect
    where the share does.

    Parameters
    ----------
    top, below : float
    covariance : ndarray of shape (2, 2)
    """
    nan = float("nan")
    if not abs(below) > 0 or not np.isfinite(covariance).all():
        return Ratio(value=nan, std_error=nan, strength=nan)
    value = top / below
    weights = np.array([1.0, -value]) / below
    variance = float(weights @ covariance @ weights)
    strength = below**2 / covariance[1, 1] if covariance[1, 1] > 0 else np.inf
    return Ratio(
        value=value,
        std_error=float(np.sqrt(variance)) if variance > 0 else nan,
        strength=float(strength),
    )
