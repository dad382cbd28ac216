r"""Score wild bootstrap: weights on the influence of clusters, for estimators that are no regression.

.. math:: t^*=\frac{\sum_cv_c\psi_c}{\sqrt{\sum_c(v_c\psi_c-\overline{v\psi})^2}}

Influences are those at the estimate, so that the law drawn is that around the estimate. Where the
share of information of each cluster is known, the hypothesis is imposed by adding the share times the
estimate less the hypothesis to each influence: scores are then those under the hypothesis
(Kline & Santos 2012, doi:10.1515/2156-6674.1006).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.clusters.wild import WildBootstrap, weights_of_clusters

Floats = NDArray[np.float64]


def score_bootstrap(
    estimate: float,
    influence: Floats,
    *,
    null: float = 0.0,
    share: Floats | None = None,
    weights: str = "rademacher",
    draws: int = 9_999,
    rng: np.random.Generator | None = None,
) -> WildBootstrap:
    r"""Test that an estimate is ``null``.

    Parameters
    ----------
    estimate : float
    influence : ndarray of shape (G,)
        Cluster sums :math:`\psi_c`, already divided by the sample size; they sum to zero.
    null : float
    share : ndarray of shape (G,), optional
        Information of each cluster over that of all; with it the hypothesis is imposed.
    weights, draws, rng
        As in `whatworks.stats.clusters.wild.wild_bootstrap`.

    Returns
    -------
    WildBootstrap
        ``std_error`` has the factor G/(G−1). Draws as far out as the estimate count, and the estimate
        itself among drawn ones. NaN where influences do not vary.
    """
    n = influence.size
    spread = float(np.sqrt(((influence - influence.mean()) ** 2).sum()))
    if n < 2 or not spread > 1e-12 * abs(estimate):
        nan = float("nan")
        return WildBootstrap(
            t=nan, std_error=nan, p_value=nan, p_lower=nan, p_upper=nan, draws=0, enumerated=False
        )
    t = (estimate - null) / spread
    part = np.sort(influence if share is None else influence + share * (estimate - null))
    enumerated = weights == "rademacher" and 2.0**n <= draws
    found = []
    for v in weights_of_clusters(n, weights, draws, enumerated=enumerated, rng=rng):
        top = v @ part
        under = (v**2) @ (part**2) - top**2 / n
        flat = under <= 1e-20 * spread**2
        # All scores alike in size and sign: as far out as can be.
        far = np.where(np.abs(top) > 1e-10 * spread, np.copysign(np.inf, top), 0.0)
        found.append(np.where(flat, far, top / np.sqrt(np.where(flat, 1.0, under))))
    drawn = np.concatenate(found)
    close = 1e-9 * max(1.0, abs(t))
    least = int((np.abs(drawn) >= abs(t) - close).sum())
    factor = np.sqrt(n / (n - 1))
    return WildBootstrap(
        t=t / factor,
        std_error=spread * factor,
        p_value=least / drawn.size if enumerated else (1 + least) / (1 + drawn.size),
        p_lower=float((drawn < t - close).mean()),
        p_upper=float((drawn > t + close).mean()),
        draws=drawn.size,
        enumerated=enumerated,
    )
