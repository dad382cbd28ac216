"""The table of a design by market: what it supplies, its cells, its balance, its leverage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.markets.shares import Shares, read_shares
from whatworks.design.record import Design
from whatworks.stats.displacement.balanced import balance_of_design
from whatworks.stats.intervals import wald
from whatworks.vocabulary import MARKET, SATURATION, TREATED, WEIGHT, Supply

Ints = NDArray[np.int64]

SATURATION_DRAWN: Final = "saturation_drawn"
SATURATION_VARIES: Final = "saturation_varies"
MARKETS_ONLY: Final = "markets_only"
NOTHING: Final = "nothing"
SENTENCES: Final = {
    SATURATION_DRAWN: "Shares of markets under treatment were drawn at random and differ: direct effects, "
    "spillovers and net effects can be estimated.",
    SATURATION_VARIES: "Shares of markets under treatment differ, and nobody drew them: what others lose "
    "can be estimated if markets treated more are otherwise like those treated less.",
    MARKETS_ONLY: "Markets are known, and no difference in the share of them under treatment: what others "
    "lose cannot be estimated, only bounded.",
    NOTHING: "Where people compete for jobs is not known: what others lose cannot be estimated.",
}
"""What a design supplies on displacement, from the most to the least."""
MOST_LEVELS: Final = 12
"""Distinct shares beyond which markets are shown by fifths."""
CONTRASTS: Final = ("assigned", "treated_market")
"""Of the balance: the assigned against the others of their markets; these against pure control."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaturationTable:
    """A design by market and arm, before any outcome is looked at.

    Parameters
    ----------
    supplies : str
        ``saturation_drawn``, ``saturation_varies``, ``markets_only`` or ``nothing``.
    sentence : str
        The same in words.
    cells : DataFrame
        ``saturation_from, saturation_to, arm, n_units, n_markets``: one row per share (per fifth of
        markets beyond `MOST_LEVELS` shares) and arm: ``assigned, unassigned``, and ``ineligible`` where
        some are.
    shares : DataFrame
        ``saturation_from, saturation_to, n_markets, n_units, saturation, sample_share``: the share by
        design, averaged over eligible units, beside the share of them that are assigned. They differ
        where arms were sampled at different rates.
    one_armed : DataFrame
        ``market, month, saturation, missing, n_units``: markets treated in part in which one arm has
        nobody. They tell what their arm tells, and no direct effect.
    balance : DataFrame
        ``contrast, covariate, difference, std_error, p_value``: differences of the eligible within
        strata, in the covariate's unit, clustered by market; ``covariate`` ``"all"`` is the joint test.
    leverage : DataFrame
        ``market, saturation, n_units, assigned, treated_market``: part of each market in what identifies
        each contrast, largest in ``treated_market`` first.
    """

    supplies: str
    sentence: str
    cells: pd.DataFrame
    shares: pd.DataFrame
    one_armed: pd.DataFrame
    balance: pd.DataFrame
    leverage: pd.DataFrame


def supplied(design: Design) -> str:
    """What a design supplies on displacement: a key of `SENTENCES`."""
    markets = design.units[MARKET]
    if markets.isna().any() or markets.nunique() < 2:
        return NOTHING
    shares, several = read_shares(design)
    if several or np.isnan(shares.saturation).any() or shares.levels.size < 2:
        return MARKETS_ONLY
    drawn = Supply.DRAWN_SATURATION in design.supplies
    return SATURATION_DRAWN if drawn else SATURATION_VARIES


def saturation_table(design: Design) -> SaturationTable:
    """Markets, arms and shares of a design, their balance and leverage.

    Parameters
    ----------
    design : Design
        Any: without markets or shares, tables are empty and ``supplies`` says so.

    Returns
    -------
    SaturationTable

    Examples
    --------
    >>> from whatworks.worlds.finite_jobs import FiniteJobs, simulate_jobs
    >>> table = simulate_jobs(FiniteJobs(n_markets=20, seed=1)).frame
    >>> roles = {"treatment": "treated", "outcome": "y", "market": "market", "saturation": "saturation"}
    >>> design = Design.from_cross_section(table, **roles, randomised=True)
    >>> saturation_table(design).supplies
    'saturation_drawn'
    """
    word = supplied(design)
    told = word in (SATURATION_DRAWN, SATURATION_VARIES)
    shares = read_shares(design)[0] if told else None
    bins = None if shares is None else _binned(shares)
    balance, leverage = (None, None) if shares is None else _balanced(design, shares)
    return SaturationTable(
        supplies=word,
        sentence=SENTENCES[word],
        cells=_cells(shares, bins),
        shares=_sampled(shares, bins),
        one_armed=pd.DataFrame(columns=[MARKET, "month", SATURATION, "missing", "n_units"])
        if shares is None
        else shares.one_armed,
        balance=_frame(balance, ("contrast", "covariate", "difference", "std_error", "p_value")),
        leverage=_frame(leverage, (MARKET, SATURATION, "n_units", *CONTRASTS)),
    )


def _frame(found: pd.DataFrame | None, columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame(columns=list(columns)) if found is None else found


def _binned(shares: Shares) -> Ints:
    """Number of the row of each cell: its share, or the fifth of cells it is in."""
    if shares.levels.size <= MOST_LEVELS:
        return np.searchsorted(shares.levels, shares.saturation).astype(np.int64)
    # Pure control stays apart: it is what all others are compared with.
    some = shares.saturation[shares.saturation > 0]
    edges = np.unique(np.quantile(some, [0.2, 0.4, 0.6, 0.8]))
    fifth = np.searchsorted(edges, shares.saturation, side="left") + 1
    return np.where(shares.saturation == 0, 0, fifth).astype(np.int64)


def _cells(shares: Shares | None, bins: Ints | None) -> pd.DataFrame:
    """Units and markets by share and arm."""
    names = ("saturation_from", "saturation_to", "arm", "n_units", "n_markets")
    if shares is None or bins is None:
        return _frame(None, names)
    counts = {"assigned": shares.n_units[:, 1], "unassigned": shares.n_units[:, 0]}
    if shares.n_ineligible.any():
        counts["ineligible"] = shares.n_ineligible
    rows = []
    for place in np.unique(bins):
        here = bins == place
        low, high = shares.saturation[here].min(), shares.saturation[here].max()
        for arm, count in counts.items():
            with_some = here & (count > 0)
            n_markets = np.unique(shares.of_cell[with_some]).size
            rows.append((low, high, arm, int(count[here].sum()), n_markets))
    return pd.DataFrame(rows, columns=list(names))


def _sampled(shares: Shares | None, bins: Ints | None) -> pd.DataFrame:
    """Share by design beside the share of the sample."""
    names = (
        "saturation_from",
        "saturation_to",
        "n_markets",
        "n_units",
        SATURATION,
        "sample_share",
    )
    if shares is None or bins is None:
        return _frame(None, names)
    size = shares.n_units.sum(axis=1)
    rows = []
    for place in np.unique(bins):
        here = bins == place
        total = int(size[here].sum())
        known = total > 0
        rows.append(
            (
                shares.saturation[here].min(),
                shares.saturation[here].max(),
                np.unique(shares.of_cell[here]).size,
                total,
                float(size[here] @ shares.saturation[here]) / total if known else np.nan,
                float(shares.n_units[here, 1].sum()) / total if known else np.nan,
            )
        )
    return pd.DataFrame(rows, columns=list(names))


def _balanced(design: Design, shares: Shares) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Contrasts of covariates among the eligible, and the leverage of markets."""
    rows_of = shares.eligible
    units = design.units
    saturation = shares.saturation[shares.cell][rows_of]
    treated = units[TREATED].to_numpy()[rows_of]
    size = np.bincount(shares.market[rows_of], minlength=shares.names.size)
    kept = np.flatnonzero(size)
    number = np.cumsum(size > 0) - 1
    values = np.empty((saturation.size, len(design.covariates)))
    for j, name in enumerate(design.covariates):
        values[:, j] = units[name].to_numpy(dtype=float)[rows_of]
    found = balance_of_design(
        values,
        np.column_stack([treated, saturation > 0]).astype(float),
        stratum=np.zeros(saturation.size, dtype=np.int64)
        if shares.strata is None
        else shares.strata[rows_of],
        market=number[shares.market[rows_of]],
        weight=units[WEIGHT].to_numpy(dtype=float)[rows_of],
    )
    rows = []
    for place, contrast in enumerate(CONTRASTS):
        p_value = wald(found.difference[place], found.std_error[place], df=found.df).p_value
        for j, name in enumerate(design.covariates):
            rows.append(
                (contrast, name, found.difference[place, j], found.std_error[place, j], p_value[j])
            )
        if design.covariates:
            rows.append((contrast, "all", np.nan, np.nan, found.joint[place]))
    balance = pd.DataFrame(
        rows, columns=["contrast", "covariate", "difference", "std_error", "p_value"]
    )
    leverage = pd.DataFrame(
        {
            MARKET: shares.names[kept],
            SATURATION: shares.by_market[kept],
            "n_units": size[kept],
            **dict(zip(CONTRASTS, found.leverage.T, strict=True)),
        }
    )
    order = leverage[CONTRASTS[1]].sort_values(ascending=False, kind="stable", na_position="last")
    return balance, leverage.loc[order.index].reset_index(drop=True)
