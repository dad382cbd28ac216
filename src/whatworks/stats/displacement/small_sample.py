r"""Scores of markets adjusted for few of them (CR1, CR2, CR3), and degrees of freedom, strata absorbed.

With :math:`Y_c=[\ell_c, W_c\ell_c]` (:math:`\ell_c` alone where rows weigh alike; see
`whatworks.stats.displacement.absorbed`), the residuals of market :math:`c` have covariance
:math:`I-Y_cK_{s(c)}Y_c'` were errors independent, and :math:`A_cW_c\ell_c=Y_cN_c` with :math:`A_c` its
symmetric inverse root (CR2) or :math:`(I-H_{cc})^{-1}` (CR3). Two markets share only the turned
columns, and their constant where they share a stratum, so that Satterthwaite's double sum over markets
is one of small matrices, and one over strata: nothing of the size of markets × markets is held.

References
----------
Bell & McCaffrey (2002), Survey Methodology 28(2); Pustejovsky & Tipton (2018),
doi:10.1080/07350015.2016.1247004; MacKinnon, Nielsen & Webb (2023), doi:10.1002/jae.2969.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.displacement.absorbed import Absorbed, Forms, without_rounding
from whatworks.stats.displacement.sums import Products

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Kind = Literal["CR0", "CR1", "CR2", "CR3"]
ALONE: Final = 1e-9
"""One less the leverage of a market, below which it alone decides a direction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """A regression whose scores by market are adjusted.

    Parameters
    ----------
    fit : Absorbed
    kind : str
    scores : ndarray of shape (n_markets, m + 1, q)
        Those of turned columns and of the constant, with the factor of CR1.
    alone : ndarray of shape (n_directions, m)
        Directions of turned columns that one market decides: no variance is told of them.
    within : Within or None
        What degrees of freedom are read off; None for CR0 and CR1.
    """

    fit: Absorbed
    kind: Kind
    scores: Floats
    alone: Floats
    within: Within | None

    def influence(self, forms: Forms) -> Floats:
        """Of each market on each form, shape (n_markets, r, q); NaN where one market decides."""
        coefficients, level = self.fit.local(forms)
        found = np.einsum("gmq,rm->grq", self.scores[:, :-1], coefficients)
        edge = np.outer(self.fit.of_level(), level)
        found += self.scores[:, -1:, :] * edge[:, :, None]
        size = np.linalg.norm(coefficients, axis=1)
        decided = (np.abs(self.alone @ coefficients.T) > 1e-7 * size).any(axis=0)
        found[:, decided] = np.nan
        return np.asarray(found)

    def df(self, forms: Forms) -> Floats:
        """Satterthwaite's for CR2 and CR3, markets less one for the others, shape (r,)."""
        if self.within is None:
            return np.full(forms.level.size, float(self.fit.sums.n_markets - 1))
        coefficients, level = self.fit.local(forms)
        found = np.full(level.size, np.nan)
        for r in range(level.size):
            local = np.outer(np.ones(self.scores.shape[0]), np.append(coefficients[r], 0.0))
            local[:, -1] = self.fit.of_level() * level[r]
            found[r] = self.within.satterthwaite(local)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    r"""What each market holds: :math:`Y_c'Y_c` and :math:`N_c`, and what strata share.

    Parameters
    ----------
    gram : ndarray of shape (n_markets, w, w)
    adjusted : ndarray of shape (n_markets, w, m + 1)
    among : ndarray of shape (m, m)
        :math:`Z'W^2Z`.
    edge : ndarray of shape (S, m)
        :math:`Z'W^21_s/\sqrt{N_s}`.
    own : ndarray of shape (S,)
        :math:`1_s'W^21_s/N_s`.
    stratum : ndarray of int, shape (n_markets,)
    """

    gram: Floats
    adjusted: Floats
    among: Floats
    edge: Floats
    own: Floats
    stratum: Ints

    def parts(self, local: Floats) -> tuple[Floats, Floats, Floats]:
        r"""How forms meet columns and strata: :math:`\nu_c`, :math:`v_c` and :math:`r_c`.

        With :math:`p_c` as in Pustejovsky & Tipton, :math:`p_c'p_h=1\{c=h\}\nu_c-v_c'Jv_h
        -1\{s(c)=s(h)\}r_c'Jr_h`, :math:`J` exchanging the halves of a vector.
        """
        N = np.einsum("gwm,gm->gw", self.adjusted, local)
        ahead = np.einsum("gwx,gx->gw", self.gram, N)
        own = np.einsum("gw,gw->g", N, ahead)
        m = local.shape[1] - 1
        z, t = ahead[:, :m], ahead[:, m]
        weighted = ahead.shape[1] > m + 1
        wz, wt = (ahead[:, m + 1 : -1], ahead[:, -1]) if weighted else (z, t)
        u = wz - self.edge[self.stratum] * t[:, None] - z @ self.among / 2
        q = wt - self.own[self.stratum] * t / 2
        return own, np.hstack([z, u]), np.column_stack([t, q])

    def satterthwaite(self, local: Floats) -> float:
        """Degrees of freedom of a form, shape (n_markets, m + 1) in each market's own columns."""
        own, v, r = self.parts(local)
        swapped, turned = swap(v), r[:, ::-1]
        beside = np.einsum("gi,gi->g", v, swapped) + np.einsum("gi,gi->g", r, turned)
        spread = float((own**2 - 2 * own * beside).sum())
        moved = v.T @ swapped
        spread += float(np.einsum("ij,ji->", moved, moved))
        n_strata = self.own.size
        crossed = _sums(np.einsum("gi,gj->gij", r, v), self.stratum, n_strata)
        spread += 2 * float(np.einsum("sij,sij->", crossed[:, ::-1], swap(crossed)))
        inside = _sums(np.einsum("gi,gj->gij", r, turned), self.stratum, n_strata)
        spread += float(np.einsum("sij,sji->", inside, inside))
        total = float((own - beside).sum())
        return total**2 / spread if spread > 0 else float("nan")


def swap(values: Floats) -> Floats:
    """Halves of the last axis exchanged."""
    half = values.shape[-1] // 2
    return np.concatenate([values[..., half:], values[..., :half]], axis=-1)


def _sums(values: Floats, stratum: Ints, n_strata: int) -> Floats:
    """Sums by stratum of an array of shape (n_markets, i, j)."""
    found = np.zeros((n_strata, *values.shape[1:]))
    np.add.at(found, stratum, values)
    return found


def adjusted(fit: Absorbed, kind: Kind) -> Adjusted:
    """The scores of a regression, adjusted.

    Parameters
    ----------
    fit : Absorbed
        For CR2 and CR3, of markets that lie each in one stratum; CR2 of rows that do not weigh alike
        needs sums with ``squares``.
    kind : str
        ``"CR0"``; ``"CR1"``, times :math:`G(n-1)/((G-1)(n-k))`; ``"CR2"``; ``"CR3"``.
    """
    m = fit.kept.size
    scores = fit.scores()
    if kind in ("CR0", "CR1"):
        factor = fit.small_sample() if kind == "CR1" else 1.0
        return Adjusted(
            fit=fit,
            kind=kind,
            scores=scores * np.sqrt(factor),
            alone=np.empty((0, m)),
            within=None,
        )
    weights = _local(fit, fit.sums.by_weight)
    leverage, vectors = np.linalg.eigh(weights)
    whole = leverage > 1 - ALONE
    alone = np.swapaxes(vectors, 1, 2)[whole][:, :m]
    within = _within(fit, weights, inverse=None if kind == "CR2" else (leverage, vectors, whole))
    ahead = _met(fit, scores, weighted=fit.sums.plain is not None)
    return Adjusted(
        fit=fit,
        kind=kind,
        scores=np.einsum("gwm,gwq->gmq", within.adjusted, ahead),
        alone=alone,
        within=within,
    )


def _local(fit: Absorbed, products: Products) -> Floats:
    """Products of a market's own columns, the constant brought to its stratum, (n_markets, m+1, m+1)."""
    m = fit.kept.size
    turn = np.zeros((products.gram.shape[1], m + 1))
    turn[:-1, :m] = fit.turn
    turn[-1, -1] = 1.0
    found = turn.T @ products.gram @ turn
    root = fit.roots()
    found[:, -1, :] *= root[:, None]
    found[:, :, -1] *= root[:, None]
    return np.asarray(found)


def _met(fit: Absorbed, scores: Floats, *, weighted: bool) -> Floats:
    r""":math:`Y_c'\hat u_c`, shape (n_markets, w, q)."""
    plain = fit.sums.plain
    if not weighted or plain is None:
        # Where all rows weigh alike the weight is in none of it: the unit of weights does not matter.
        return scores
    found = plain.cross - plain.gram[:, :, :-1] @ (fit.turn @ fit.turned)
    found = np.concatenate([fit.turn.T @ found[:, :-1], found[:, -1:]], axis=1)
    found[:, -1] *= fit.roots()[:, None]
    own = np.sqrt(np.abs(np.einsum("gii->gi", _local(fit, plain))))
    bound = own[:, :, None] * np.sqrt(fit.sums.outcome_square[:, None, :])
    return np.concatenate([without_rounding(found, bound), scores], axis=1)


def _within(
    fit: Absorbed, weights: Floats, *, inverse: tuple[Floats, Floats, NDArray[np.bool_]] | None
) -> Within:
    sums = fit.sums
    m = fit.kept.size
    n_strata = sums.stratum_mass.size
    met = np.maximum(sums.stratum, 0)
    if sums.plain is None or sums.squared is None:
        gram = weights
        squared = weights
    else:
        squared = _local(fit, sums.squared)
        gram = np.block([[_local(fit, sums.plain), weights], [weights, squared]])
    among = squared[:, :m, :m].sum(axis=0)
    edge = _sums(squared[:, :m, -1:], met, n_strata)[:, :, 0]
    own = _sums(squared[:, -1:, -1:], met, n_strata)[:, 0, 0]
    wide = gram.shape[1]
    pick = np.vstack([np.zeros((wide - m - 1, m + 1)), np.eye(m + 1)])
    if inverse is None:
        made = _symmetric_root(gram, _middle(among, edge, own, wide=wide)[met], pick)
    else:
        leverage, vectors, whole = inverse
        left = np.where(whole, 0.0, 1 / np.where(whole, 1.0, 1 - leverage))
        made = pick @ np.einsum("gis,gs,gjs->gij", vectors, left, vectors)
    return Within(gram=gram, adjusted=made, among=among, edge=edge, own=own, stratum=met)


def _middle(among: Floats, edge: Floats, own: Floats, *, wide: int) -> Floats:
    """:math:`K_s` of each stratum, shape (S, w, w)."""
    n_strata, m = edge.shape
    if wide == m + 1:
        return np.broadcast_to(np.eye(m + 1), (n_strata, m + 1, m + 1))
    found = np.zeros((n_strata, wide, wide))
    found[:, :m, :m] = -among
    found[:, :m, m] = found[:, m, :m] = -edge
    found[:, m, m] = -own
    half = np.arange(m + 1)
    found[:, half, half + m + 1] = found[:, half + m + 1, half] = 1.0
    return found


def _symmetric_root(gram: Floats, middle: Floats, pick: Floats) -> Floats:
    """:math:`N_c` of the symmetric inverse root, as `whatworks.stats.clusters.covariance` has it."""
    size, basis = np.linalg.eigh(gram)
    there = size > 1e-13 * size.max(axis=1, keepdims=True)
    there &= size > 0
    root = np.sqrt(np.where(there, size, 1.0))
    R = np.where(there, root, 0.0)[:, :, None] * np.swapaxes(basis, 1, 2)
    back = basis * np.where(there, 1 / root, 0.0)[:, None, :]
    inside = np.eye(size.shape[1]) - R @ middle @ np.swapaxes(R, 1, 2)
    values, vectors = np.linalg.eigh((inside + np.swapaxes(inside, 1, 2)) / 2)
    usable = values > ALONE
    power = np.where(usable, 1 / np.sqrt(np.where(usable, values, 1.0)), 0.0)
    F = np.einsum("gis,gs,gjs->gij", vectors, power, vectors)
    return np.asarray(back @ F @ R @ pick)
