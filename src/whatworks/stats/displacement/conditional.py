r"""Spillovers tested on people who stay untreated: exact whatever treatment does to the treated.

That nobody is touched by the treatment of others is no sharp hypothesis: of the treated, outcomes without
treatment are not known. It is sharp for focal persons, picked without looking at shares, under all
assignments that leave them untreated (Athey, Eckles & Imbens 2018, doi:10.1080/01621459.2016.1241178;
Basse, Feller & Toulis 2019, doi:10.1093/biomet/asy072). In a market of :math:`n` eligible,
:math:`m` focal ones picked at random among the untreated, with :math:`m` fixed beforehand, are as
likely whatever number :math:`T\le n-m` was drawn: of :math:`\binom nT` assignments
:math:`\binom{n-m}T` leave them untreated, each of which picks them with chance
:math:`1/\binom{n-T}m`, and :math:`\binom{n-m}T/\{\binom nT\binom{n-T}m\}=1/\binom nm`. Given focal
persons, shares are then in any order within strata with the same chance, markets in which nobody
stays untreated set aside.

The statistic is the slope of focal outcomes on shares within strata,

.. math:: \hat b=\frac1S\sum_c \tilde p_c\,\tilde Y_c,\qquad
          \widehat{se}^2=\frac1{S^2}\sum_c\tilde p_c^2(\tilde Y_c-\hat b M_c\tilde p_c)^2,\qquad
          S=\sum_c M_c\tilde p_c^2

with :math:`M_c` the weight of focal persons, :math:`\tilde Y_c` their outcomes summed, less the mean of
the stratum, and :math:`\tilde p_c` the share less its mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slopes:
    """The slope under each order of shares; NaN where shares do not vary within any stratum.

    Parameters
    ----------
    slope, std_error : ndarray of shape (draws,)
        Outcome per unit of share; clustered by market.
    """

    slope: Floats
    std_error: Floats


def most_focal(size: Ints, share: Floats, stratum: Ints) -> Ints:
    """How many may be focal in each market: those whom no share of the stratum's would all treat.

    >>> most_focal(np.array([10, 11]), np.array([0.0, 0.5]), np.array([0, 0])).tolist()
    [5, 5]
    """
    highest = np.zeros(int(stratum.max()) + 1)
    np.maximum.at(highest, stratum, share)
    # A share is a whole number of hundredths or of the like: what rounding adds is taken off.
    drawn = np.ceil(highest[stratum] * size - 1e-9).astype(np.int64)
    return np.asarray(size - drawn, dtype=np.int64)


def slopes(outcome: Floats, mass: Floats, stratum: Ints, share: Floats) -> Slopes:
    """Slope of focal outcomes on shares within strata.

    Parameters
    ----------
    outcome, mass : ndarray of shape (n_markets,)
        Weighted sum over focal persons of a market, and their weight, positive.
    stratum : ndarray of int, shape (n_markets,)
        From 0.
    share : ndarray of shape (draws, n_markets)
    """
    n_strata = int(stratum.max()) + 1
    member = (stratum[:, None] == np.arange(n_strata)).astype(float)
    weights = member * mass[:, None]
    held = weights.sum(axis=0)
    apart = outcome - mass * (outcome @ member / held)[stratum]
    moved = share - (share @ weights / held)[:, stratum]
    moved[np.abs(moved) < 1e-12] = 0.0
    information = moved**2 @ mass
    told = information > 0
    information = np.where(told, information, np.nan)
    slope = moved @ apart / information
    scores = moved * (apart - slope[:, None] * mass * moved)
    return Slopes(slope=slope, std_error=np.sqrt((scores**2).sum(axis=1)) / information)
