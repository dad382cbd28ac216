r"""Mean outcome of an arm at each share of the market treated, markets alike otherwise: the second stage.

From means :math:`\mu_m` of one arm by market, shares :math:`p_m`, what markets are (:math:`x_m`) and the
score :math:`r(p,x)` of `share_law`, one regression over markets with weights :math:`\omega_m`,
averaged over all markets :math:`m` with weights :math:`a_m`,

.. math:: \hat\mu(p)=\frac{\sum_m a_m\,q\{p,r(p,x_m),x_m\}'\hat\delta}{\sum_m a_m},

where ``regression`` has a polynomial in p, and :math:`x`; ``index`` those, the square of the predictor
:math:`\eta` of the law of p, and its product with p (Imai & van Dyk 2004: given the predictor, shares say
nothing of markets); ``density`` a polynomial in p and r with their product (Hirano & Imbens 2004);
``weighting`` one in p with :math:`\omega_m=a_m f(p_m)/r(p_m,x_m)`; and ``doubly_robust`` the regression so
weighted: right when either the law of p or the regression is.

The influence of a market sums what it says of :math:`\delta`, of the mean over markets, and of the law of
p, the last by the total derivative of :math:`\hat\mu(p)` in its parameters.

References
----------
Hirano & Imbens (2004), doi:10.1002/0470090456.ch7; Imai & van Dyk (2004),
doi:10.1198/016214504000001187; Ferracci, Jolivet & van den Berg (2014),
doi:10.1162/REST_a_00385; Robins, Hernán & Brumback (2000), doi:10.1097/00001648-200009000-00011.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

from whatworks.stats.displacement.share_law import (
    FittedLaw,
    Law,
    chance_of,
    density,
    derivative,
    fit_membership,
    fit_share,
)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Numbers = NDArray[Any]

Between = Literal["index", "density", "regression", "weighting", "doubly_robust"]
BETWEEN: Final = ("index", "density", "regression", "weighting", "doubly_robust")
_COLLINEAR: Final = 1e-9
_ROUNDING: Final = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """The law of the share over some markets, fitted.

    Parameters
    ----------
    members : ndarray of bool, shape (n_markets,)
        Markets the law is of: at one share, or strictly between.
    regressors : ndarray of shape (n_markets, q)
        A constant first.
    theta : ndarray of shape (n_theta,)
        Coefficients of membership (none where all are members); of the density; of the density whatever
        the market. Only the first where members are at one share.
    influence : ndarray of shape (n_markets, n_theta)
    law : str or None
        None where members are at one share.
    share : ndarray of shape (n_markets,)
    converged : bool
    """

    members: Bools
    regressors: Floats
    theta: Floats
    influence: Floats
    law: Law | None
    share: Floats
    converged: bool

    def chance(self, theta: Numbers) -> Numbers:
        """Probability of membership, shape (n_markets,)."""
        if self.members.all():
            return np.ones(self.share.size, dtype=theta.dtype)
        return chance_of(theta[: self.regressors.shape[1]], self.regressors)

    def score(self, theta: Numbers, share: Floats | float) -> Numbers:
        """Density of a share in each market, shape (n_markets,); the probability where it is one share."""
        chance = self.chance(theta)
        if self.law is None:
            return chance
        q = self.regressors.shape[1]
        at = 0 if self.members.all() else q
        own = theta[at : at + q + 1]
        return chance * density(own, self.regressors, share, law=self.law)

    def indices(self, theta: Numbers) -> list[Numbers]:
        """Predictors of the density and of membership, each of shape (n_markets,)."""
        q, found = self.regressors.shape[1], []
        if self.law is not None:
            at = 0 if self.members.all() else q
            found.append(self.regressors @ theta[at : at + q])
        if not self.members.all():
            found.append(self.regressors @ theta[:q])
        return found

    def marginal(self, theta: Numbers, share: Floats) -> Numbers:
        """Density of each market's own share among members, whatever the market."""
        if self.law is None:
            return np.ones(share.size, dtype=theta.dtype)
        return density(theta[-2:], np.ones((share.size, 1)), share, law=self.law)

    def stabilised(self, theta: Numbers) -> Numbers:
        """Weights of members: how much likelier their share is in general than in such a market."""
        share = np.where(self.members, self.share, 0.5)
        return np.asarray(self.marginal(theta, share) / self.score(theta, share))


def scored(share: Floats, regressors: Floats, members: Bools, *, law: Law | None) -> Scored:
    """Fit the law of the share: membership over all markets, the density over members."""
    parts: list[FittedLaw] = []
    n = share.size
    if not members.all():
        parts.append(fit_membership(members, regressors))
    if law is not None:
        for columns in (regressors, np.ones((n, 1))):
            found = fit_share(share[members], columns[members], law=law)
            influence = np.zeros((n, found.theta.size))
            influence[members] = found.influence
            parts.append(
                FittedLaw(theta=found.theta, influence=influence, converged=found.converged)
            )
    return Scored(
        members=members,
        regressors=regressors,
        theta=np.concatenate([part.theta for part in parts]) if parts else np.zeros(0),
        influence=np.hstack([part.influence for part in parts]) if parts else np.zeros((n, 0)),
        law=law,
        share=share,
        converged=all(part.converged for part in parts),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseResponse:
    """Mean outcomes at shares.

    Parameters
    ----------
    mean : ndarray of shape (n_at,)
    influence : ndarray of shape (n_markets, n_at)
    gain : ndarray of shape (n_markets, n_at)
        Derivative in the mean of each market.
    residual : ndarray of shape (n_markets,)
        0 where the arm is not seen.
    parameters : int
        Of the regression.
    """

    mean: Floats
    influence: Floats
    gain: Floats
    residual: Floats
    parameters: int


def dose_response(
    means: Floats,
    law: Scored,
    at: Floats,
    *,
    weight: Floats,
    how: Between,
    degree: int,
) -> DoseResponse:
    """Regress means of markets on share and score, and average over markets.

    Parameters
    ----------
    means : ndarray of shape (n_markets,)
        NaN where the arm is not seen.
    law : Scored
    at : ndarray of shape (n_at,)
        Shares asked for.
    weight : ndarray of shape (n_markets,)
        What a market counts for.
    how : str
        One of `BETWEEN`.
    degree : int
        Of the polynomial in the share.
    """
    seen = law.members & np.isfinite(means)
    y = means[seen]
    make = _basis(law, at, how=how, degree=degree, seen=seen)
    weighted = how in {"weighting", "doubly_robust"}

    def weights(theta: Numbers) -> Numbers:
        mine = weight[seen] * law.stabilised(theta)[seen] if weighted else weight[seen]
        return np.asarray(mine)

    def coefficients(theta: Numbers) -> Numbers:
        own, _ = make(theta)
        tilted = own * weights(theta)[:, None]
        return np.asarray(np.linalg.solve(tilted.T @ own, tilted.T @ y))

    def response(theta: Numbers) -> Numbers:
        _, others = make(theta)
        delta = coefficients(theta)
        found = np.array([weight @ (basis @ delta) for basis in others])
        return np.asarray(found / weight.sum())

    theta = law.theta
    own, others = make(theta)
    delta, omega = coefficients(theta), weights(theta)
    left = y - own @ delta
    left[np.abs(left) < _ROUNDING * np.abs(y).max(initial=0.0)] = 0.0
    tilted = own * omega[:, None]
    toward = np.array([weight @ basis for basis in others]) / weight.sum()
    pull = tilted @ np.linalg.solve(tilted.T @ own, toward.T)
    mean = toward @ delta
    influence = np.column_stack([basis @ delta for basis in others]) - mean
    influence[np.abs(influence) < _ROUNDING * np.abs(y).max(initial=0.0)] = 0.0
    influence *= (weight / weight.sum())[:, None]
    gain = np.zeros((means.size, at.size))
    gain[seen] = pull
    # Leverage: what is left of a market that bends the curve towards itself is less than what it strayed.
    leverage = (tilted * np.linalg.solve(tilted.T @ own, own.T).T).sum(axis=1)
    influence[seen] += pull * (left / np.sqrt(np.maximum(1 - leverage, 1e-6)))[:, None]
    if theta.size and left.any():
        influence += law.influence @ derivative(response, theta).T
    residual = np.zeros(means.size)
    residual[seen] = left
    return DoseResponse(
        mean=mean, influence=influence, gain=gain, residual=residual, parameters=own.shape[1]
    )


Made = Callable[[Numbers], tuple[Numbers, list[Numbers]]]


def _basis(law: Scored, at: Floats, *, how: Between, degree: int, seen: Bools) -> Made:
    """Regressors of the markets seen, and of all markets at each share asked for."""
    members, share = law.members, law.share
    one_share = law.law is None
    centre = 0.0 if one_share else float(share[members].mean())
    spread = 1.0 if one_share else float(np.ptp(share[members])) or 1.0
    size = float(np.mean(np.real(law.score(law.theta, np.where(members, share, 0.5))[members])))
    index = law.indices(law.theta)[0]
    middle, width = float(index.mean()), float(np.ptp(index)) or 1.0

    def columns(theta: Numbers, p: Floats) -> Numbers:
        t = (p - centre) / spread
        found: list[Numbers] = [np.ones(share.size)]
        if not one_share:
            found += [t**k for k in range(1, degree + 1)]
        if how == "density":
            r = law.score(theta, p) / size
            found += [r] if one_share else [r, r * r, r * t]
        elif how != "weighting":
            found += list(law.regressors[:, 1:].T)
        if how == "index" and not one_share:
            # Linear terms are those of all columns: a predictor of little strength has a direction of chance.
            u = (law.indices(theta)[0] - middle) / width
            found += [u * u, u * t]
        return np.column_stack(found)

    def made(theta: Numbers, kept: NDArray[np.intp] | slice) -> tuple[Numbers, list[Numbers]]:
        own = columns(theta, np.where(members, share, centre or 0.5))[seen]
        others = [columns(theta, np.full(share.size, p))[:, kept] for p in at]
        return own[:, kept], others

    full, _ = made(law.theta, slice(None))
    kept = _independent(full)
    return lambda theta: made(theta, kept)


def _independent(columns: Floats) -> NDArray[np.intp]:
    """Columns none of which the others determine, in their order."""
    size = np.sqrt((columns**2).sum(axis=0))
    _, triangle, order = qr(columns / np.where(size > 0, size, 1.0), mode="economic", pivoting=True)
    diagonal = np.abs(np.diag(triangle))
    return np.sort(order[: diagonal.size][diagonal > _COLLINEAR * diagonal[0]])
