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
from whatworks.stats.threads import one_thread

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
        local = self.local(forms)
        return np.array(
            [self.within.parts(one[:, None]).degrees() for one in np.swapaxes(local, 0, 1)]
        )

    def local(self, forms: Forms) -> Floats:
        """Forms in each market's own columns, shape (n_markets, r, m + 1)."""
        coefficients, level = self.fit.local(forms)
        found = np.empty((self.scores.shape[0], level.size, coefficients.shape[1] + 1))
        found[:, :, :-1] = coefficients
        found[:, :, -1] = np.outer(self.fit.of_level(), level)
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

    def parts(self, local: Floats) -> Parts:
        """How forms meet columns and strata.

        Parameters
        ----------
        local : ndarray of shape (n_markets, q, m + 1)
            q forms in each market's own columns.
        """
        N = np.einsum("gwm,gsm->gsw", self.adjusted, local)
        ahead = N @ self.gram
        own = N @ np.swapaxes(ahead, 1, 2)
        m = local.shape[2] - 1
        z, t = ahead[..., :m], ahead[..., m]
        weighted = ahead.shape[2] > m + 1
        wz, wt = (ahead[..., m + 1 : -1], ahead[..., -1]) if weighted else (z, t)
        u = wz - self.edge[self.stratum][:, None, :] * t[..., None] - z @ self.among / 2
        q = wt - self.own[self.stratum][:, None] * t / 2
        return Parts(
            own=own,
            v=np.concatenate([z, u], axis=2),
            r=np.stack([t, q], axis=2),
            stratum=self.stratum,
            n_strata=self.own.size,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    r"""What products of :math:`p_c` are made of (Pustejovsky & Tipton), for q forms.

    :math:`p_c'p_h=1\{c=h\}\nu_c-v_cJv_h'-1\{s(c)=s(h)\}r_cJr_h'`, matrices of shape (q, q), :math:`J`
    exchanging the halves of a vector.

    Parameters
    ----------
    own : ndarray of shape (n_markets, q, q)
        :math:`\nu_c`.
    v : ndarray of shape (n_markets, q, 2 m)
    r : ndarray of shape (n_markets, q, 2)
    stratum : ndarray of int, shape (n_markets,)
    n_strata : int
    """

    own: Floats
    v: Floats
    r: Floats
    stratum: Ints
    n_strata: int

    def beside(self) -> Floats:
        """What is taken from ``own`` of a market itself, shape (n_markets, q, q)."""
        of_columns = self.v @ np.swapaxes(swap(self.v), 1, 2)
        return np.asarray(of_columns + self.r @ np.swapaxes(swap(self.r), 1, 2))

    @one_thread()
    def degrees(self) -> float:
        r"""Degrees of freedom :math:`\eta` of the covariance matrix of the forms; Satterthwaite's of one.

        :math:`\eta=q(q+1)/\sum_{c,h}[(\mathrm{tr}P_{ch})^2+\mathrm{tr}(P_{ch}P_{ch})]`, :math:`P_{ch}` the
        products above in units of their sum over single markets. Sums over pairs of markets are those of
        products of sums over markets, and over those of each stratum.
        """
        q = self.own.shape[1]
        beside = self.beside()
        values, vectors = np.linalg.eigh((self.own - beside).sum(axis=0))
        if not values[0] > 0:
            return float("nan")
        root = (vectors / np.sqrt(values)) @ vectors.T
        v, r, own, beside = (
            root @ self.v,
            root @ self.r,
            root @ self.own @ root,
            root @ beside @ root,
        )
        total = float(_square(own - beside).sum() - _square(beside).sum())
        total += _paired(np.einsum("gsi,gtj->sitj", v, v, optimize=True)[None])
        mixed = _sums(np.einsum("gsi,gtb->gsitb", v, r), self.stratum, self.n_strata)
        total += 2 * _paired(mixed)
        total += _paired(_sums(np.einsum("gsa,gtb->gsatb", r, r), self.stratum, self.n_strata))
        return q * (q + 1) / total if total > 0 else float("nan")


def _square(P: Floats) -> Floats:
    """Square of the trace and trace of the square, shape (n,)."""
    return np.asarray(np.einsum("gss->g", P) ** 2 + np.einsum("gst,gts->g", P, P))


def _paired(sums: Floats) -> float:
    r"""Sum over pairs of markets of a stratum of the products of two bilinear forms.

    Parameters
    ----------
    sums : ndarray of shape (S, q, i, q, j)
        :math:`\sum_c x_{csi}y_{ctj}`: the forms are those of :math:`J` on ``x`` and on ``y``.
    """
    half_i, half_j = sums.shape[2] // 2, sums.shape[4] // 2
    turned = np.roll(np.roll(sums, half_i, axis=2), half_j, axis=4)
    trace = np.einsum("xsitj,xsitj->", sums, turned)
    return float(trace + np.einsum("xsitj,xtisj->", sums, turned))


def swap(values: Floats) -> Floats:
    """Halves of the last axis exchanged."""
    half = values.shape[-1] // 2
    return np.concatenate([values[..., half:], values[..., :half]], axis=-1)


def _sums(values: Floats, stratum: Ints, n_strata: int) -> Floats:
    """Sums by stratum of an array of shape (n_markets, i, j)."""
    found = np.zeros((n_strata, *values.shape[1:]))
    np.add.at(found, stratum, values)
    return found


@one_thread()
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
