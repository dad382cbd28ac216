r"""How strong what was not seen would have to be, to make an effect of the share nil.

Two measures. The robustness value: the share of the variance, both of the shares of markets and of their
outcomes, that an unseen cause of both would have to explain beyond what is held,

.. math:: RV=\tfrac12\Big(\sqrt{f^4+4f^2}-f^2\Big),\qquad f=|t|/\sqrt{\nu},

and, for the interval to reach zero, the same with :math:`f` less :math:`t^*_{\nu-1}/\sqrt{\nu-1}`. The
E-value: the risk ratio that such a cause would have to have with both,
:math:`E=R+\sqrt{R(R-1)}` for a ratio :math:`R\ge1` of mean outcomes, its inverse below.

References
----------
Cinelli & Hazlett (2020), doi:10.1111/rssb.12348; VanderWeele & Ding (2017), doi:10.7326/M16-2607.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]


def robustness_value(t: Floats, *, df: float, level: float = 0.0) -> Floats:
    """Partial R² with shares and outcomes alike that would bring an effect to zero, or its interval to it.

    Parameters
    ----------
    t : ndarray
        Effects over their standard errors.
    df : float
        Degrees of freedom, finite.
    level : float
        0 for the effect itself; 0.95 for its interval of 95 %.

    Returns
    -------
    ndarray
        From 0 to 1; NaN where t is not known.

    Examples
    --------
    >>> robustness_value(np.array([4.18445]), df=783).round(4).tolist()
    [0.1388]
    >>> robustness_value(np.array([4.18445]), df=783, level=0.95).round(4).tolist()
    [0.0763]
    """
    f = np.abs(np.asarray(t, dtype=float)) / np.sqrt(df)
    least = 0.0
    if level > 0:
        least = float(stats.t(df - 1).ppf(0.5 + level / 2)) / np.sqrt(df - 1)
    beyond = np.maximum(f - least, 0.0)
    both = (np.sqrt(beyond**4 + 4 * beyond**2) - beyond**2) / 2
    if not least:
        return np.asarray(both)
    # Where explaining the outcome in full does less than explaining shares: the extreme case binds.
    extreme = np.maximum(f**2 - least**2, 0.0) / (1 + f**2)
    return np.asarray(np.where(f < 1 / least, both, extreme))


def e_value(ratio: Floats) -> Floats:
    """Risk ratio that an unseen cause needs with share and outcome to explain a ratio away.

    Examples
    --------
    >>> e_value(np.array([3.9, 1 / 3.9, 1.0])).round(2).tolist()
    [7.26, 7.26, 1.0]
    """
    r = np.asarray(ratio, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.where(r > 0, np.maximum(r, 1 / r), np.nan)
    return np.asarray(above + np.sqrt(above * (above - 1)))
