r"""Wild cluster bootstrap of a linear form, from sums of clusters alone.

With :math:`s_h(r)` the scores of the residuals that impose :math:`c'\beta=r` and weights :math:`v`,

.. math:: c'\beta^*-r=\sum_h v_ha_h,\qquad
          c'Ms^*_g=v_ga_g-\sum_h v_hc'MS_gMs_h,\qquad a_h=c'Ms_h

so that all draws are two products of matrices of the size of the number of clusters, and everything
is linear in :math:`\delta=c'\hat\beta-r`: a p-value at another :math:`r` costs nothing more, and the
confidence set follows from the roots of one quartic a draw.

References
----------
Cameron, Gelbach & Miller (2008), doi:10.1162/rest.90.3.414; Roodman, MacKinnon, Nielsen & Webb (2019),
doi:10.1177/1536867X19830877; Webb (2023), doi:10.1111/caje.12661; MacKinnon & Webb (2018),
doi:10.1111/ectj.12107.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.errors import choice
from whatworks.stats.clusters.blocks import ClusterBlocks
from whatworks.stats.clusters.covariance import small_sample
from whatworks.stats.clusters.inversion import ConfidenceSet, not_rejected

Floats = NDArray[np.float64]

LAWS: Final = ("rademacher", "webb", "mammen", "normal")
TIES: Final = ("counted", "left_out")
BLOCK: Final = 2**14
"""Draws held at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WildBootstrap:
    """One test.

    Parameters
    ----------
    t : float
        Estimate less the hypothesis, over ``std_error``.
    std_error : float
        CR1S: with the factor G(N−1)/((G−1)(N−k)).
    p_value : float
        Two-sided, symmetric.
    p_lower, p_upper : float
        Share of draws strictly below, and strictly above.
    draws : int
    enumerated : bool
        Whether these are all the patterns of signs there are.
    """

    t: float
    std_error: float
    p_value: float
    p_lower: float
    p_upper: float
    draws: int
    enumerated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """Numerators and squared denominators of every draw as polynomials of δ/σ, σ² = Σ(c'Mŝ)²."""

    top: Floats
    under: Floats
    enumerated: bool


def wild_bootstrap(
    blocks: ClusterBlocks,
    contrast: Floats,
    *,
    null: float = 0.0,
    restricted: bool = True,
    weights: str = "rademacher",
    draws: int = 9_999,
    ties: str = "counted",
    rng: np.random.Generator | None = None,
) -> WildBootstrap:
    """Test that a linear form of the coefficients is ``null``.

    Parameters
    ----------
    blocks : ClusterBlocks
    contrast : ndarray of shape (k,)
    null : float
    restricted : bool
        Residuals that impose the hypothesis (WCR), or those of the estimate (WCU).
    weights : str
        ``"rademacher"`` (±1; all 2^G patterns where they are no more than ``draws``), ``"webb"`` (six
        points), ``"mammen"`` or ``"normal"``.
    draws : int
    ties : str
        ``"counted"``: draws as far out as the estimate count, and the estimate itself among drawn ones,
        ``(1 + #) / (1 + draws)``; ``"left_out"``: only those further out, as in ``boottest``.
    rng : Generator, optional
        By default seeded with 0.

    Returns
    -------
    WildBootstrap
        NaN where the form has no variance.
    """
    choice(ties, TIES, what="ties")
    form = np.asarray(contrast, dtype=float)
    sigma, spread = _sigma(blocks, form)
    error = float(np.sqrt(small_sample(blocks)) * sigma) if blocks.n_clusters > 1 else np.nan
    delta = (float(form @ blocks.beta) - null) / sigma if spread else np.nan
    if not spread:
        nan = float("nan")
        return WildBootstrap(
            t=nan, std_error=nan, p_value=nan, p_lower=nan, p_upper=nan, draws=0, enumerated=False
        )
    drawn = _drawn(blocks, form, sigma, weights=weights, draws=draws, rng=rng)
    at = delta if restricted else 0.0
    top = drawn.top[:, 0] + at * drawn.top[:, 1]
    under = drawn.under @ np.array([1.0, at, at * at])
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(under > 1e-20, top / np.sqrt(np.maximum(under, 0.0)), np.inf * np.sign(top))
    t = np.where(np.isnan(t), 0.0, t)
    close = 1e-9 * max(1.0, abs(delta))
    further = np.abs(t) > abs(delta) + close
    n = t.size
    if ties == "counted":
        least = int((np.abs(t) >= abs(delta) - close).sum())
        p = least / n if drawn.enumerated else (1 + least) / (1 + n)
    else:
        p = int(further.sum()) / n
    return WildBootstrap(
        t=delta * sigma / error,
        std_error=error,
        p_value=p,
        p_lower=float((t < delta - close).mean()),
        p_upper=float((t > delta + close).mean()),
        draws=n,
        enumerated=drawn.enumerated,
    )


def wild_interval(
    blocks: ClusterBlocks,
    contrast: Floats,
    *,
    level: float = 0.95,
    restricted: bool = True,
    weights: str = "rademacher",
    draws: int = 9_999,
    ties: str = "counted",
    rng: np.random.Generator | None = None,
) -> ConfidenceSet:
    """Values of a linear form that `wild_bootstrap` with the same options does not reject.

    Returns
    -------
    ConfidenceSet
        Exact given the draws. Not bounded where values however far are as far out as enough draws that
        impose them, as happens with very few clusters or with Mammen's law; without any interval where
        the form has no variance.
    """
    choice(ties, TIES, what="ties")
    form = np.asarray(contrast, dtype=float)
    sigma, spread = _sigma(blocks, form)
    if not spread:
        return ConfidenceSet(intervals=())
    drawn = _drawn(blocks, form, sigma, weights=weights, draws=draws, rng=rng)
    n0, n1 = drawn.top.T
    z0, z1, z2 = drawn.under.T
    if restricted:
        polynomials = np.column_stack([n0**2, 2 * n0 * n1, n1**2 - z0, -z1, -z2])
    else:
        blank = np.zeros_like(n0)
        polynomials = np.column_stack([n0**2, blank, -z0, blank, blank])
    tied = np.abs(polynomials).max(axis=1) <= 1e-9
    counted = ties == "counted"
    own = counted and not drawn.enumerated
    found = not_rejected(
        polynomials if counted else polynomials[~tied],
        always=float(own),
        total=float(n0.size + own),
        level=level,
    )
    return found.moved(centre=float(form @ blocks.beta), scale=sigma)


def _sigma(blocks: ClusterBlocks, form: Floats) -> tuple[float, bool]:
    """Root of the sum of squared scores of a form, and whether it is more than rounding."""
    c = form @ blocks.turn
    parts = blocks.scores @ c
    sigma = float(np.sqrt(parts @ parts))
    scale = float(np.linalg.norm(blocks.scores) * np.linalg.norm(c))
    return sigma, sigma > 1e-12 * scale and blocks.n_clusters > 1


def _drawn(
    blocks: ClusterBlocks,
    form: Floats,
    sigma: float,
    *,
    weights: str,
    draws: int,
    rng: np.random.Generator | None,
) -> _Drawn:
    """Every draw's numerator and squared denominator."""
    c = form @ blocks.turn
    own = blocks.own @ c
    impose = own / (c @ c)
    a = np.column_stack([blocks.scores @ c / sigma, impose @ c])
    # c'M S_g M s_h: what the scores of all clusters h move in the fit of cluster g.
    D0 = np.diag(a[:, 0]) - own @ blocks.scores.T / sigma
    D1 = np.diag(a[:, 1]) - own @ impose.T
    # Clusters in an order of their own, so that labels do not decide which weight is whose.
    order = np.lexsort((a[:, 1], a[:, 0]))
    a, D0, D1 = a[order], D0[:, order], D1[:, order]
    enumerated = weights == "rademacher" and 2.0**blocks.n_clusters <= draws
    tops, unders = [], []
    for v in weights_of_clusters(blocks.n_clusters, weights, draws, enumerated=enumerated, rng=rng):
        tops.append(v @ a)
        base, tilt = v @ D0.T, v @ D1.T
        unders.append(
            np.column_stack(
                [(base**2).sum(axis=1), 2 * (base * tilt).sum(axis=1), (tilt**2).sum(axis=1)]
            )
        )
    return _Drawn(top=np.concatenate(tops), under=np.concatenate(unders), enumerated=enumerated)


def weights_of_clusters(
    n_clusters: int, law: str, draws: int, *, enumerated: bool, rng: np.random.Generator | None
) -> Iterator[Floats]:
    """Weights of clusters in blocks of draws, shape (block, n_clusters)."""
    choice(law, LAWS, what="weights")
    chance = np.random.default_rng(0) if rng is None else rng
    total = 2**n_clusters if enumerated else draws
    for begin in range(0, total, BLOCK):
        size = (min(BLOCK, total - begin), n_clusters)
        if enumerated:
            bits = np.arange(begin, begin + size[0])[:, None] >> np.arange(n_clusters) & 1
            yield np.asarray(1.0 - 2.0 * bits, dtype=np.float64)
        else:
            yield one_block(law, size, chance)


def one_block(law: str, size: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Weights of mean 0 and variance 1."""
    if law == "rademacher":
        return np.asarray(1.0 - 2.0 * rng.integers(0, 2, size, dtype=np.int8), dtype=np.float64)
    if law == "webb":
        return np.asarray(_WEBB[rng.integers(0, 6, size, dtype=np.int8)])
    if law == "mammen":
        golden = (1 + np.sqrt(5)) / 2
        short = rng.random(size) < golden / np.sqrt(5)
        return np.asarray(np.where(short, 1 - golden, golden))
    return rng.standard_normal(size)


_WEBB: Final = np.sqrt(np.array([0.5, 1.0, 1.5, 0.5, 1.0, 1.5])) * np.array([-1, -1, -1, 1, 1, 1])
