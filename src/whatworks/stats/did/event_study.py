"""Effects by period around a start, with their covariance: all that questions of credibility read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatworks.errors import OptionError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStudy:
    r"""Effects in consecutive periods, the base period :math:`t=0` left out for being nil.

    Parameters
    ----------
    estimate : ndarray of shape (n_pre + n_post,)
        Effects in periods :math:`-n_{pre},\dots,-1` and :math:`1,\dots,n_{post}`, all against the
        base period, the last before the start.
    covariance : ndarray of shape (n_pre + n_post, n_pre + n_post)
    n_pre : int
        Periods before the base, at least one.
    weights : ndarray of shape (n_post,)
        :math:`l`: the effect asked about is :math:`\theta=l'\tau_{post}`.

    Raises
    ------
    OptionError
        When shapes disagree, a number is missing, or a variance is not positive.
    """

    estimate: Floats
    covariance: Floats
    n_pre: int
    weights: Floats

    def __post_init__(self) -> None:
        k = self.estimate.size
        n_post = k - self.n_pre
        if self.n_pre < 1 or n_post < 1 or self.weights.shape != (n_post,):
            raise OptionError(
                what="an event study",
                needed="a period before the base, one after, and a weight for each one after",
                found=f"{self.n_pre} before, {n_post} after, {self.weights.size} weights",
                remedy="read effects over more periods, or weigh those there are",
            )
        known = np.isfinite(self.estimate).all() and np.isfinite(self.covariance).all()
        if self.covariance.shape != (k, k) or not known or np.diag(self.covariance).min() <= 0:
            raise OptionError(
                what="an event study",
                needed=f"{k} effects and their covariance, {k} by {k}, with variances above zero",
                found=f"a covariance of shape {self.covariance.shape}, or a number not known",
                remedy="leave out periods whose effect or variance is not known",
            )
        if not self.weights.any():
            raise OptionError(
                what="weights",
                needed="one that is not zero",
                found="zeros",
                remedy="say which effects are averaged",
            )

    @property
    def n_post(self) -> int:
        """Periods from the start on."""
        return self.weights.size

    @property
    def direction(self) -> Floats:
        """Weights over all effects, zero before the start."""
        return np.concatenate([np.zeros(self.n_pre), self.weights])

    @property
    def effect(self) -> float:
        """Estimate of what is asked about, were trends parallel."""
        return float(self.direction @ self.estimate)

    @property
    def std_error(self) -> float:
        """Its standard error."""
        return float(np.sqrt(self.direction @ self.covariance @ self.direction))

    @property
    def times(self) -> Floats:
        """Periods since the base, the base left out."""
        return np.concatenate([np.arange(-self.n_pre, 0.0), np.arange(1.0, self.n_post + 1)])
