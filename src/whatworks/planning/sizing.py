"""What an experiment could tell: standard errors to come, smallest effects detected, power."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.errors import OptionError
from whatworks.estimate.shares.responses import share_label
from whatworks.planning.assumed import Assumed
from whatworks.planning.terms import (
    ASSIGNED,
    Contrasts,
    degrees,
    errors,
    table_of,
    variances,
)
from whatworks.planning.trial import Trial
from whatworks.stats.planning import power as law

Floats = NDArray[np.float64]


def detectable(
    trial: Trial, assumed: Assumed, *, target: float = 0.8, level: float = 0.05
) -> pd.DataFrame:
    """Smallest effects that a trial detects with a given power.

    Parameters
    ----------
    trial : Trial
    assumed : Assumed
    target : float
        Power sought.
    level : float
        Size of the two-sided test.

    Returns
    -------
    DataFrame
        ``term, group, std_error, detectable, unit``: first on average over shares (``all``), then by share.
        Terms that the shares do not identify are absent.

    Examples
    --------
    >>> trial = Trial(shares=(0, 0.25, 0.5, 0.75, 1))
    >>> found = detectable(trial, Assumed.of_share(0.167, sizes=(91,) * 235, icc=0.019))
    >>> round(float(found.set_index(["term", "group"]).loc[("spillover", "all"), "detectable"]), 1)
    3.2
    """
    contrasts, variance = variances(trial, assumed)
    error = errors(contrasts.forms, variance.told)
    least = law.detectable(error, target=target, level=level, df=degrees(assumed))
    return table_of(contrasts, assumed, {"std_error": error, "detectable": least})


def power(
    trial: Trial,
    assumed: Assumed,
    *,
    direct: float | Sequence[float],
    spillover: float | Sequence[float],
    level: float = 0.05,
) -> pd.DataFrame:
    """Power to tell each term from nothing, were these the effects.

    Parameters
    ----------
    trial : Trial
    assumed : Assumed
    direct, spillover : float or sequence of float
        Effects in the outcome's unit, the same at each positive share, or one for each. Losses of others
        are negative. Where everybody is assigned the total is their sum.
    level : float

    Returns
    -------
    DataFrame
        ``term, group, effect, std_error, power, unit``. Power is that of the test with the clustered
        errors that will be printed, which are too wide where markets differ in what is usual there.
    """
    contrasts, variance = variances(trial, assumed)
    means = _means(trial, contrasts, direct=direct, spillover=spillover)
    effect = contrasts.forms @ means
    told, true = errors(contrasts.forms, variance.told), errors(contrasts.forms, variance.true)
    found = law.power(effect, told, level=level, df=degrees(assumed), spread=true / told)
    return table_of(contrasts, assumed, {"effect": effect, "std_error": told, "power": found})


def displacement_told(
    trial: Trial, assumed: Assumed, *, total: float, target: float = 0.8, level: float = 0.05
) -> pd.DataFrame:
    """What a trial could say of the displacement ratio, jobs lost by others per job gained.

    A ratio has no smallest detectable effect: it depends on the gain in its denominator, and the set of
    ratios that the data do not reject is the whole line when that gain is not told from nothing.

    Parameters
    ----------
    trial : Trial
    assumed : Assumed
    total : float
        Gain of the assigned against pure control, in the outcome's unit.
    target, level : float

    Returns
    -------
    DataFrame
        By share and on average: ``bounded``, the probability that the set of ratios is bounded;
        ``told_from_none``, the smallest ratio told from 0 (above 1: none is); ``told_from_complete``,
        the largest told from 1, where nothing is left in net (below 0: none is).
    """
    if not total > 0:
        raise OptionError(
            what="total",
            needed="a gain above 0",
            found=repr(total),
            remedy="write the gain of the assigned against pure control that is hoped for",
        )
    contrasts, variance = variances(trial, assumed)
    df = degrees(assumed)
    least = float(law.detectable(1.0, target=target, level=level, df=df))
    hoped = 100.0 * total * assumed.jobs / assumed.take_up
    rows = []
    for group, (gained, net) in _gained_and_net(trial, assumed, contrasts).items():
        gain, lost, left = errors(np.array([gained, net - gained, net]), variance.told)
        rows.append(
            {
                "group": group,
                "bounded": float(law.power(hoped, gain, level=level, df=df)),
                "told_from_none": least * float(lost) / hoped,
                "told_from_complete": 1 - least * float(left) / hoped,
            }
        )
    return pd.DataFrame(rows)


def _gained_and_net(
    trial: Trial, assumed: Assumed, contrasts: Contrasts
) -> dict[str, tuple[Floats, Floats]]:
    """Jobs gained by 100 participants, and left in net, where somebody who may lose is observed."""
    names = zip(contrasts.terms, contrasts.groups, strict=True)
    form = dict(zip(names, contrasts.forms, strict=True))
    loser = "spillover_ineligible" if assumed.ineligible else "spillover"
    shares = [p for p in trial.shares if (loser, share_label(p)) in form]
    if not shares:
        raise OptionError(
            what="the displacement ratio",
            needed="pure-control markets, and others in which somebody is not assigned",
            found=f"shares {trial.shares}",
            remedy="draw share 0 and shares below 1",
        )
    per_100 = 100.0 * assumed.jobs / assumed.take_up
    by_share = {
        p: (per_100 * form["total", share_label(p)], form["net", share_label(p)]) for p in shares
    }
    part = dict(zip(trial.shares, trial.allocation, strict=True))
    mass = np.array([part[p] * p for p in shares])
    mass = mass / mass.sum()
    whole = [
        np.asarray(np.tensordot(mass, np.array([by_share[p][k] for p in shares]), axes=1))
        for k in (0, 1)
    ]
    return {"all": (whole[0], whole[1])} | {share_label(p): by_share[p] for p in shares}


def _means(
    trial: Trial,
    contrasts: Contrasts,
    *,
    direct: float | Sequence[float],
    spillover: float | Sequence[float],
) -> Floats:
    """Mean of each cell above that of pure control."""
    positive = [k for k, share in enumerate(trial.shares) if share > 0]
    effects = {}
    for name, given in (("direct", direct), ("spillover", spillover)):
        values = np.atleast_1d(np.asarray(given, dtype=float))
        if values.size not in (1, len(positive)):
            raise OptionError(
                what=name,
                needed=f"one effect, or {len(positive)}, one for each positive share",
                found=f"{values.size} effects",
                remedy="write one number, or a list as long as the positive shares",
            )
        effects[name] = dict(
            zip(positive, np.broadcast_to(values, len(positive)).tolist(), strict=True)
        )
    return np.array(
        [
            effects["spillover"].get(k, 0.0) + (effects["direct"][k] if arm == ASSIGNED else 0.0)
            for arm, k in zip(contrasts.arm.tolist(), contrasts.share.tolist(), strict=True)
        ]
    )
