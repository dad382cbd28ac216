r"""Cluster-robust covariance with few clusters, and the degrees of freedom of its quadratic forms.

.. math:: V = M\Big(\sum_g X_g'W_gA_g\hat u_g\hat u_g'A_g'W_gX_g\Big)M,\qquad M=(X'WX)^{-1}

with :math:`A_g=I` (CR0; times :math:`G/(G-1)`: CR1; times :math:`G(N-1)/((G-1)(N-k))`: CR1S),
:math:`A_g=B_g^{-1/2}`, :math:`B_g` the covariance of the residuals of a cluster were errors independent
with one variance (CR2), or :math:`A_g=(I-H_{gg})^{-1}` (CR3; times :math:`(G-1)/G`: the jackknife of
clusters). :math:`A_g` acts on the span of :math:`[X_g, W_gX_g]` only, so that matrices of the size of
a cluster are never made.

References
----------
Bell & McCaffrey (2002), Survey Methodology 28(2); Pustejovsky & Tipton (2018),
doi:10.1080/07350015.2016.1247004; MacKinnon, Nielsen & Webb (2023), doi:10.1002/jae.2969 (CV3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from whatworks.errors import choice
from whatworks.stats.clusters.blocks import ClusterBlocks

Floats = NDArray[np.float64]

KINDS: Final = ("CR0", "CR1", "CR1S", "CR2", "CR3", "jackknife")
ALONE: Final = 1e-9
"""One less the leverage of a cluster, below which it alone decides a direction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRobust:
    """Linear forms of coefficients, with Satterthwaite's degrees of freedom.

    Parameters
    ----------
    estimate, std_error, df, p_value : ndarray of shape (q,)
        NaN errors with CR2, CR3 and the jackknife where one cluster alone decides the form: nothing is
        left to tell its chance from its effect.
    covariance : ndarray of shape (q, q)
    """

    estimate: Floats
    std_error: Floats
    df: Floats
    p_value: Floats
    covariance: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class HotellingTest:
    """Joint test of several linear forms.

    Parameters
    ----------
    statistic : float
        Brought to the scale of Fisher's F.
    df, df_residual : float
    p_value : float
    """

    statistic: float
    df: float
    df_residual: float
    p_value: float


def cluster_robust(
    blocks: ClusterBlocks, *, kind: str = "CR2", contrasts: Floats | None = None
) -> ClusterRobust:
    r"""Estimates of linear forms, their standard errors, and t tests that they are zero.

    The degrees of freedom of a form :math:`c` match the first two moments of its variance were errors
    independent: :math:`(\sum_g p_g'p_g)^2/\sum_{g,h}(p_g'p_h)^2`, with
    :math:`p_g=(I-H)_g'A_g'W_gX_gMc` (Pustejovsky & Tipton 2018, §3).

    Parameters
    ----------
    blocks : ClusterBlocks
    kind : str
        ``"CR0"``, ``"CR1"``, ``"CR1S"``, ``"CR2"``, ``"CR3"`` or ``"jackknife"``.
    contrasts : ndarray of shape (q, k), optional
        By default every coefficient.
    """
    choice(kind, KINDS, what="kind")
    forms = np.eye(blocks.k) if contrasts is None else np.atleast_2d(contrasts)
    c = forms @ blocks.turn
    adjusted, alone = _adjustment(blocks, kind)
    parts = np.einsum("gmk,gm->gk", adjusted, blocks.score) @ c.T
    covariance = _scale(blocks, kind) * (parts.T @ parts)
    decided = (np.abs(alone @ c.T) > 1e-7 * np.linalg.norm(c, axis=1)).any(axis=0)
    covariance[decided, :] = covariance[:, decided] = np.nan
    variance = np.diag(covariance)
    error = np.sqrt(np.where(variance > 0, variance, np.nan))
    df = np.where(np.isfinite(error), satterthwaite(blocks, adjusted, c), np.nan)
    estimate = forms @ blocks.beta
    return ClusterRobust(
        estimate=estimate,
        std_error=error,
        df=df,
        p_value=np.asarray(2 * stats.t(df).sf(np.abs(estimate / error))),
        covariance=covariance,
    )


def hotelling_test(blocks: ClusterBlocks, contrasts: Floats, *, kind: str = "CR2") -> HotellingTest:
    r"""Joint test by Hotelling's approximation of the law of the covariance matrix.

    With :math:`\eta=q(q+1)/\sum_{s,t}\mathrm{Var}(D_{st})`, :math:`D` the covariance standardised by its
    expectation, :math:`(\eta-q+1)Q/(\eta q)\sim F(q,\eta-q+1)` (Pustejovsky & Tipton 2018, §3.2).

    Parameters
    ----------
    blocks : ClusterBlocks
    contrasts : ndarray of shape (q, k)
    kind : str
    """
    found = cluster_robust(blocks, kind=kind, contrasts=contrasts)
    q = found.estimate.size
    adjusted, _ = _adjustment(blocks, kind)
    products = _products(blocks, adjusted, np.atleast_2d(contrasts) @ blocks.turn)
    values, vectors = np.linalg.eigh(np.einsum("ggst->st", products))
    root = (vectors / np.sqrt(values)) @ vectors.T
    even = np.einsum("as,ghst,tb->ghab", root, products, root, optimize=True)
    own = np.einsum("ghss->ghs", even)
    total = float(np.sum(own.sum(axis=2) ** 2) + np.einsum("ghst,ghts->", even, even))
    eta = q * (q + 1) / total
    form = float(found.estimate @ np.linalg.solve(found.covariance, found.estimate))
    statistic = (eta - q + 1) / (eta * q) * form
    residual = eta - q + 1
    return HotellingTest(
        statistic=statistic,
        df=float(q),
        df_residual=residual,
        p_value=float(stats.f(q, residual).sf(statistic)) if residual > 0 else float("nan"),
    )


def _scale(blocks: ClusterBlocks, kind: str) -> float:
    g = blocks.n_clusters
    if g < 2 or blocks.n <= blocks.k:
        return float("nan")
    by_kind = {"CR1": g / (g - 1), "CR1S": small_sample(blocks), "jackknife": (g - 1) / g}
    return by_kind.get(kind, 1.0)


def small_sample(blocks: ClusterBlocks) -> float:
    """Factor G(N−1)/((G−1)(N−k)) on the covariance of scores."""
    g, n = blocks.n_clusters, blocks.n
    return g / (g - 1) * (n - 1) / (n - blocks.k)


def _adjustment(blocks: ClusterBlocks, kind: str) -> tuple[Floats, Floats]:
    r"""Each cluster's :math:`N_g` with :math:`A_g'W_gZ_g=Y_gN_g`, and directions one cluster decides.

    Returns
    -------
    adjusted : ndarray of shape (G, m, k)
    alone : ndarray of shape (n_directions, k)
    """
    pick = np.broadcast_to(blocks.pick.T, (blocks.n_clusters, blocks.gram.shape[1], blocks.k))
    if kind in ("CR0", "CR1", "CR1S"):
        return pick, np.empty((0, blocks.k))
    leverage, vectors = np.linalg.eigh(blocks.own)
    whole = leverage > 1 - ALONE
    alone = np.swapaxes(vectors, 1, 2)[whole]
    if kind == "CR2":
        return _symmetric_root(blocks), alone
    left = np.where(whole, 0.0, 1 / np.where(whole, 1.0, 1 - leverage))
    inverse = np.einsum("gis,gs,gjs->gij", vectors, left, vectors)
    return pick @ inverse, alone


def _middle(blocks: ClusterBlocks) -> Floats:
    r""":math:`K` with :math:`I-Y_gKY_g'` the covariance of a cluster's residuals, shape (m, m)."""
    k = blocks.k
    if not blocks.weighted:
        return np.eye(k)
    squared = blocks.gram[:, k:, k:].sum(axis=0)
    return np.block([[-squared, np.eye(k)], [np.eye(k), np.zeros((k, k))]])


def _symmetric_root(blocks: ClusterBlocks) -> Floats:
    r""":math:`N_g` of :math:`B_g^{-1/2}`, with :math:`B_g=I-Y_gKY_g'`, through :math:`Y_g'Y_g`.

    With :math:`Y_g=UR`, :math:`B_g^{-1/2}=I-UU'+U(I-RKR')^{-1/2}U'`, the root taken over the
    eigenvalues that are not zero.
    """
    size, basis = np.linalg.eigh(blocks.gram)
    there = size > 1e-13 * size.max(axis=1, keepdims=True)
    root = np.sqrt(np.where(there, size, 1.0))
    R = np.where(there, root, 0.0)[:, :, None] * np.swapaxes(basis, 1, 2)
    back = basis * np.where(there, 1 / root, 0.0)[:, None, :]
    inside = np.eye(size.shape[1]) - R @ _middle(blocks) @ np.swapaxes(R, 1, 2)
    values, vectors = np.linalg.eigh(inside)
    usable = values > ALONE
    power = np.where(usable, 1 / np.sqrt(np.where(usable, values, 1.0)), 0.0)
    F = np.einsum("gis,gs,gjs->gij", vectors, power, vectors)
    return np.asarray(back @ F @ R @ blocks.pick.T)


def satterthwaite(blocks: ClusterBlocks, adjusted: Floats, c: Floats) -> Floats:
    r"""Degrees of freedom of each form, shape (q,).

    :math:`p_g'p_h=1\{g=h\}\nu_g-y_g'Ky_h` with :math:`\nu_g=a_g'a_g`, :math:`y_g=Y_g'a_g` and
    :math:`a_g=A_g'W_gZ_gc`, so that the double sum of squares is a trace of small matrices.
    """
    K = _middle(blocks)
    N = adjusted @ c.T
    ahead = blocks.gram @ N
    own = np.einsum("gms,gms->gs", N, ahead)
    beside = np.einsum("gms,ml,gls->gs", ahead, K, ahead, optimize=True)
    moved = np.einsum("gms,gls,ln->smn", ahead, ahead, K, optimize=True)
    spread = (own**2 - 2 * own * beside).sum(axis=0) + np.einsum("smn,snm->s", moved, moved)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((own - beside).sum(axis=0) ** 2 / spread)


def _products(blocks: ClusterBlocks, adjusted: Floats, c: Floats) -> Floats:
    """Products :math:`p_g'p_h` of every pair of clusters and forms, shape (G, G, q, q)."""
    N = adjusted @ c.T
    ahead = blocks.gram @ N
    found = -np.einsum("gms,ml,hlt->ghst", ahead, _middle(blocks), ahead, optimize=True)
    place = np.arange(blocks.n_clusters)
    found[place, place] += np.einsum("gms,gmt->gst", N, ahead)
    return np.asarray(found)
