r"""Multiplier bootstrap: influences redrawn with weights of mean 0 and variance 1, cluster by cluster.

.. math:: \hat\theta^*_k-\hat\theta_k = \sum_c v_c\psi_{ck},\qquad
          \hat\sigma_k = \frac{q_{.75}-q_{.25}}{z_{.75}-z_{.25}},\qquad
          \hat c = q_{1-\alpha}\Big(\max_k|\hat\theta^*_k-\hat\theta_k|/\hat\sigma_k\Big)

with quantiles over draws. Given the data, normal weights draw exactly from the normal law of covariance
:math:`\sum_c\psi_c\psi_c'`: it is all they need.

References
----------
Callaway & Sant'Anna (2021), §4.1, doi:10.1016/j.jeconom.2020.12.001; Chernozhukov, Chetverikov & Kato
(2013), doi:10.1214/13-AOS1161; Mammen (1993), doi:10.1214/aos/1176349025; Webb (2023),
doi:10.1111/caje.12661.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from whatworks.errors import OptionError
from whatworks.stats.clusters.wild import LAWS, one_block
from whatworks.stats.uncertainty import Covariance, Influence, Uncertainty, order_by_content

Floats = NDArray[np.float64]

__all__ = ["LAWS", "Draws", "redrawn"]

_HELD: Final = 2**22
"""Weights drawn at once."""
_QUARTILES: Final = 2 * float(special.ndtri(0.75))
"""Distance between the quartiles of the normal law."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Deviations of redrawn estimates from the estimates.

    Parameters
    ----------
    values : ndarray of shape (n_draws, n_terms)
    """

    values: Floats

    def combine(self, weights: Floats) -> Draws:
        """Draws of linear combinations of terms."""
        w = np.asarray(weights, dtype=float)
        read = np.flatnonzero((w != 0).any(axis=0))
        return Draws(values=self.values[:, read] @ w[:, read].T)

    def std_error(self) -> Floats:
        """Distance between quartiles in that of the normal law, shape (n_terms,)."""
        low, high = np.quantile(self.values, (0.25, 0.75), axis=0)
        return np.asarray((high - low) / _QUARTILES)

    def covariance(self) -> Floats:
        """Correlations of the draws, scaled to `std_error`, shape (n_terms, n_terms)."""
        size = np.sqrt((self.values**2).mean(axis=0))
        scale = np.divide(self.std_error(), size, out=np.zeros_like(size), where=size > 0)
        scaled = self.values * scale
        return np.asarray(scaled.T @ scaled / self.values.shape[0])

    def critical_value(self, *, level: float = 0.95) -> float:
        """Standard errors on each side of a band over all terms that vary."""
        error = self.std_error()
        vary = error > 0
        if not vary.any():
            return float("nan")
        largest = np.abs(self.values[:, vary] / error[vary]).max(axis=1)
        return float(np.quantile(largest, level, method="inverted_cdf"))


def redrawn(uncertainty: Uncertainty, *, draws: int, law: str, rng: np.random.Generator) -> Draws:
    """Redraw terms from their influences, or with normal weights from their covariance.

    Parameters
    ----------
    uncertainty : Uncertainty
    draws : int
    law : str
        One of `LAWS`.
    rng : Generator

    Raises
    ------
    OptionError
        When only the covariance is held and weights are not normal.
    """
    if law == "normal":
        return _from_covariance(uncertainty.covariance(), draws=draws, rng=rng)
    if not isinstance(uncertainty, Influence):
        held = "a covariance" if isinstance(uncertainty, Covariance) else "draws already"
        raise OptionError(
            what=f"multipliers={law!r}",
            needed="the influence of each cluster",
            found=f"an estimate that holds {held}",
            remedy="choose multipliers='normal', whose law given the data is that of the covariance",
        )
    return _from_influence(uncertainty, draws=draws, law=law, rng=rng)


def _from_covariance(covariance: Floats, *, draws: int, rng: np.random.Generator) -> Draws:
    """Draws by the symmetric root, which the signs of eigenvectors do not change."""
    size = np.sqrt(np.diag(covariance))
    safe = np.where(size > 0, size, 1.0)
    values, vectors = np.linalg.eigh(covariance / np.outer(safe, safe))
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return Draws(values=rng.standard_normal((draws, size.size)) @ root * size)


def _from_influence(
    influence: Influence, *, draws: int, law: str, rng: np.random.Generator
) -> Draws:
    size = np.sqrt((influence.values**2).sum(axis=0))
    scale = np.where(size > 0, size, 1.0)
    order = order_by_content(influence.values / scale)
    found = np.zeros((draws, size.size))
    width = max(1, _HELD // draws)
    for begin in range(0, order.size, width):
        some = order[begin : begin + width]
        weights = one_block(law, (draws, some.size), rng)
        found += weights @ influence.values[some]
    return Draws(values=found * np.sqrt(influence.factor))
