r"""What is left in net when some gain and others lose, as linear forms of effects at one share.

With :math:`p` the share of the eligible who were assigned and :math:`\omega` the share of the competing
pool that is eligible,

.. math:: TCE(p) = p\,TT(p)+(1-p)\,SNT(p),\qquad N(p) = 100\,TCE(p)/p,

.. math:: N_\omega(p,k) = 100\left[TT(p)+SNT(p)\frac{1-p}{p}+k\,SNT(p)\frac{1-\omega}{\omega p}\right]

are the gain per eligible person, the net per 100 assigned among the eligible, and over the whole pool
when those who could not be assigned lose :math:`k` times what the eligible who were not assigned lose.
At :math:`k=0` they lose nothing: an upper bound if they lose anything. Where they are seen, what they
lose takes the place of :math:`k\,SNT`. At :math:`p=1` nobody eligible is left to lose and
:math:`N(1)=100\,TT(1)` (Crépon et al. 2013, doi:10.1093/qje/qjt001; Baird et al. 2018,
doi:10.1162/REST_a_00716).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class AtShare:
    """Effects at one share, each a form of the same terms; None where the data do not tell it.

    Parameters
    ----------
    share : float
        :math:`p`, strictly positive.
    direct, spillover, total : ndarray of shape (n_terms,) or None
        DE(p), SNT(p), TT(p).
    ineligible : ndarray of shape (n_terms,) or None
        What those who could not be assigned gain or lose, where they are seen.
    """

    share: float
    direct: Floats | None
    spillover: Floats | None
    total: Floats | None
    ineligible: Floats | None = None


def overall(at: AtShare) -> Floats | None:
    """TCE(p), per eligible person.

    >>> at = AtShare(share=0.5, direct=None, spillover=np.array([0.0, 1.0]), total=np.array([1.0, 0.0]))
    >>> overall(at).tolist()
    [0.5, 0.5]
    """
    if at.total is None:
        return None
    if at.share == 1:
        return at.total
    return None if at.spillover is None else at.share * at.total + (1 - at.share) * at.spillover


def lost(at: AtShare, *, pool_share: float = 1.0, exposure: float = 0.0) -> Floats | None:
    """What others lose per person assigned; ``exposure`` is :math:`k`. A gain is a negative loss."""
    others = (1 - at.share) / at.share + exposure * _beside(at.share, pool_share)
    if others == 0:
        return None if at.total is None else np.zeros_like(at.total)
    return None if at.spillover is None else -others * at.spillover


def lost_seen(at: AtShare, *, pool_share: float) -> Floats | None:
    """What others lose per person assigned, those who could not be assigned being seen."""
    eligible = lost(at)
    if at.ineligible is None or eligible is None:
        return None
    return eligible - _beside(at.share, pool_share) * at.ineligible


def net(at: AtShare, taken: Floats | None, *, scale: float = 100.0) -> Floats | None:
    """Net per 100 assigned, given what others lose per person assigned.

    Parameters
    ----------
    at : AtShare
    taken : ndarray of shape (n_terms,) or None
        From `lost` or `lost_seen`.
    scale : float
        100 for shares, 1 for outcomes already in points.
    """
    return None if at.total is None or taken is None else scale * (at.total - taken)


ELASTICITY: Final = 1.27
r""":math:`\iota` of the matching function of den Haan, Ramey & Watson (2000)."""


def displacement_at(tightness: float, *, elasticity: float = ELASTICITY) -> float:
    r"""Structural displacement :math:`d(\theta)=1/(1+\theta^{\iota})` at a tightness, from a model.

    One minus the elasticity to search effort of the matching function
    :math:`SV/(S^\iota+V^\iota)^{1/\iota}` (den Haan, Ramey & Watson 2000, doi:10.1257/aer.90.3.482).
    It is what a model says, and no estimate.

    >>> [round(displacement_at(t), 3) for t in (0.25, 1.0, 4.0)]
    [0.853, 0.5, 0.147]
    """
    return float(1 / (1 + tightness**elasticity))


def _beside(share: float, pool_share: float) -> float:
    """Persons who compete and could not be assigned, per person assigned."""
    return (1 - pool_share) / (pool_share * share)
