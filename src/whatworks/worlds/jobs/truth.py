"""What is true in a world of finite jobs, in closed form: means by arm in large markets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from whatworks.vocabulary import SATURATION, TIGHTNESS
from whatworks.worlds.jobs.options import FiniteJobs, TakeUp
from whatworks.worlds.jobs.search import LAW, NODES, Search, drawn_with

Floats = NDArray[np.float64]

DISPLACEMENT: Final = "displacement"
_SHOCK_NODES, _SHOCK_MASSES = np.polynomial.hermite_e.hermegauss(15)
_SHOCKS: Final[Floats] = _SHOCK_MASSES / _SHOCK_MASSES.sum()
MEANS: Final = ("assigned", "unassigned", "ineligible", "jobs", "compliers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Large markets, as arrays of shape (n_markets,).

    Parameters
    ----------
    saturation : ndarray
    time : ndarray
        Search time were jobs unlimited.
    displacement : ndarray
    added : ndarray
        Jobs added by employers, per seeker.
    crossing : csr_array of shape (n_markets, n_markets), optional
        Where the seekers of each market look for a job; by default in their own.
    size : ndarray, optional
        Seekers; needed where some cross.
    """

    saturation: Floats
    time: Floats
    displacement: Floats
    added: Floats
    crossing: csr_array | None = None
    size: Floats | None = None


def take_up_at_nodes(take_up: TakeUp | None) -> tuple[Floats, Floats]:
    """Shares taking part of the assigned and of the unassigned eligible, at each node."""
    if take_up is None:
        return np.ones(NODES.size), np.zeros(NODES.size)
    return participation(take_up, NODES, assigned=True), participation(
        take_up, NODES, assigned=False
    )


def participation(take_up: TakeUp, x: Floats, *, assigned: bool) -> Floats:
    """Chance of taking part of persons of these covariates."""
    share = take_up.assigned if assigned else take_up.unassigned
    if share in (0.0, 1.0):
        return np.full(x.shape, share)
    odds = np.log(share / (1 - share)) + take_up.leaning * x
    return np.asarray(1 / (1 + np.exp(-odds)))


def base_time(options: FiniteJobs) -> float:
    """Search time by which the base share of an average market finds a job, nobody helped."""
    return Search(effect=options.effect, slope=options.slope).time_without_help(options.base_share)


def means(options: FiniteJobs, conditions: Conditions) -> dict[str, Floats]:
    r"""Mean outcomes of large markets by arm.

    Returns
    -------
    dict of str to ndarray of shape (n_markets,)
        ``assigned`` :math:`\mu(1,\cdot)` and ``unassigned`` :math:`\mu(0,\cdot)` over all eligible,
        ``ineligible``, ``jobs`` (per seeker of the market), and ``compliers``: by how much taking part
        changes the chance of those who take part because they are assigned.
    """
    search = Search(effect=options.effect, slope=options.slope)
    one, zero = take_up_at_nodes(options.take_up)
    drawn = drawn_with(options.selection, conditions.saturation)
    omega = options.eligible_share
    helped = omega * (drawn * one + (1 - drawn) * zero)
    in_place = _searching_there(conditions, helped)
    closing = search.closing(
        conditions.time, in_place, conditions.displacement, added=conditions.added
    )
    with_help, without = (
        _from_home(conditions, search.found(closing, helped=told)) for told in (True, False)
    )
    gained = with_help - without
    moved = (one - zero) * LAW
    return {
        "assigned": (without + one * gained) @ LAW,
        "unassigned": (without + zero * gained) @ LAW,
        "ineligible": without @ LAW,
        "jobs": (without + helped * gained) @ LAW,
        "compliers": gained @ moved / moved.sum(),
    }


def _searching_there(conditions: Conditions, helped: Floats) -> Floats:
    """Share helped of those who look for a job in each place, at each node."""
    if conditions.crossing is None or conditions.size is None:
        return helped
    there = conditions.crossing.T @ (conditions.size[:, None] * helped)
    return np.asarray(there / (conditions.crossing.T @ conditions.size)[:, None])


def _from_home(conditions: Conditions, chance: Floats) -> Floats:
    """Chances by place, as seekers of each market meet them."""
    return chance if conditions.crossing is None else np.asarray(conditions.crossing @ chance)


def jobs_truth(options: FiniteJobs | None = None, *, shocks: bool = False) -> pd.DataFrame:
    r"""Effects in large markets, in closed form, averaged over tightness.

    Parameters
    ----------
    options : FiniteJobs, optional
    shocks : bool
        Average over market shocks too; otherwise markets are as the average one.

    Returns
    -------
    DataFrame
        A row per saturation ``p``: ``direct`` :math:`\mu(1,p)-\mu(0,p)`, ``spillover``
        :math:`\mu(0,p)-\mu(0,0)`, ``total`` :math:`\mu(1,p)-\mu(0,0)`, ``overall``
        :math:`p\,TT+(1-p)SNT`, ``spillover_ineligible``, ``net_eligible`` (jobs per 100 assigned, among
        the eligible), ``net_pool`` (over all seekers; both NaN at 0), ``compliers`` (the direct effect
        of taking part on those who do because they are assigned) and ``participation`` (their share),
        all but the nets in shares. Cells that no one is in, ``direct`` and ``total`` at 0 and
        ``spillover`` at 1, are limits of large markets.

    Notes
    -----
    With :math:`G_z(t) = E[1-e^{-(1+\beta z)e^{bx}t}]`, :math:`G_0(t_0)=h_0` sets :math:`t_0`, and
    :math:`\omega p\,G_1(t)+(1-\omega p)\,G_0(t) = h_0+(1-d)\,\omega p\,(G_1(t_0)-h_0)` sets
    :math:`t(p)`; :math:`\mu(z,p)=G_z(t(p))`. Net jobs per 100 assigned over the pool are
    :math:`100(1-d)(G_1(t_0)-h_0)` at every saturation, take-up being full. Where some seekers cross
    borders, ``p`` is the share assigned in every market, and 0 is nobody anywhere.
    """
    table = jobs_truth_by_tightness(options, shocks=shocks)
    averaged = table.drop(columns=[TIGHTNESS, DISPLACEMENT]).groupby(SATURATION, sort=False).mean()
    return averaged.reset_index()


def jobs_truth_by_tightness(
    options: FiniteJobs | None = None, *, shocks: bool = False
) -> pd.DataFrame:
    """`jobs_truth` in markets of each tightness.

    Returns
    -------
    DataFrame
        ``tightness`` (NaN where none is told), ``displacement``, then as `jobs_truth`.
    """
    options = options or FiniteJobs()
    values = (np.nan,) if options.tightness is None else options.tightness.values
    return pd.concat(
        [_truth_at(options, value, shocks=shocks) for value in values], ignore_index=True
    )


def _truth_at(options: FiniteJobs, tightness: float, *, shocks: bool) -> pd.DataFrame:
    """Effects in markets of one tightness; the first row computed is that of nobody assigned."""
    p = np.array((0.0, *options.saturations))
    displacement = options.displaced_at(tightness)
    nodes, masses = (_SHOCK_NODES, _SHOCKS) if shocks else (np.zeros(1), np.ones(1))
    time = times(options, np.array(tightness)) * np.exp(options.shock * nodes)
    shape = (p.size, nodes.size)
    flat = Conditions(
        saturation=np.repeat(p, nodes.size),
        time=np.tile(time, p.size),
        displacement=np.full(p.size * nodes.size, displacement),
        added=np.zeros(p.size * nodes.size),
    )
    found = {name: values.reshape(shape) @ masses for name, values in means(options, flat).items()}
    one, zero = take_up_at_nodes(options.take_up)
    table = _contrasts(found, p, eligible_share=options.eligible_share)
    table[TIGHTNESS], table[DISPLACEMENT] = tightness, displacement
    table["participation"] = float((one - zero) @ LAW)
    return table


def _contrasts(found: dict[str, Floats], p: Floats, *, eligible_share: float) -> pd.DataFrame:
    """Effects against the first saturation, for all others."""
    one, zero, other, jobs = (found[name] for name in MEANS[:4])
    total, spillover = one - zero[0], zero - zero[0]
    overall = p * total + (1 - p) * spillover
    # Nobody assigned has no net per 100 of them.
    per_hundred = 100 / np.where(p > 0, p, np.nan)
    table = pd.DataFrame(
        {
            SATURATION: p,
            "direct": one - zero,
            "spillover": spillover,
            "total": total,
            "overall": overall,
            "spillover_ineligible": other - other[0],
            "net_eligible": per_hundred * overall,
            "net_pool": per_hundred * (jobs - jobs[0]) / eligible_share
            if eligible_share
            else np.full(p.size, np.nan),
            "compliers": found["compliers"],
        }
    )
    return table.iloc[1:].reset_index(drop=True)


def times(options: FiniteJobs, tightness: Floats) -> Floats:
    """Search times without shocks of markets of these tightnesses."""
    level = 0.0 if options.tightness is None else options.tightness.level
    moved = np.where(np.isnan(tightness), 1.0, tightness) ** level
    return np.asarray(base_time(options) * moved)
