"""What methods for drawn shares read of a design: columns sorted by market, samples, months."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.markets.identified import require_shares
from whatworks.design.markets.reading import coded
from whatworks.design.markets.record import EVERY_MONTH
from whatworks.design.markets.shares import Shares
from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError
from whatworks.estimate.groups import MOST_LEVELS, declared
from whatworks.vocabulary import (
    ELIGIBLE,
    MARKET,
    MONTH,
    SATURATION,
    STRATUM,
    TIGHTNESS,
    TOOK_PART,
    TREATED,
    WEIGHT,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

EVERYONE: Final = "all"
MARKETS: Final = "markets"
"""Key of an estimate's extras: markets and arms of each share."""
ONE_ARMED: Final = "one_armed"
"""Key of an estimate's extras: markets of which one arm was not met."""
THIRDS: Final = ("low", "middle", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Saturated:
    """Units of a design of saturations, as columns sorted by market.

    Parameters
    ----------
    order : ndarray of int, shape (n,)
        Row of the design of each.
    assigned, eligible : ndarray of bool, shape (n,)
    share, weight : ndarray of shape (n,)
    market, stratum, cell : ndarray of int, shape (n,)
        A cell is a market in a month of entry; strata are all 0 where there are none.
    covariates : ndarray of shape (n, p)
    took_part : ndarray of shape (n,) or None
    shares : Shares
    """

    order: Ints
    assigned: Bools
    eligible: Bools
    share: Floats
    weight: Floats
    market: Ints
    stratum: Ints
    cell: Ints
    covariates: Floats
    took_part: Floats | None
    shares: Shares

    @property
    def n_markets(self) -> int:
        """Markets of the design."""
        return int(self.shares.names.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Units a regression is fitted on.

    Parameters
    ----------
    label : str
        ``"all"``, or a group declared beforehand.
    by : str
        What the group is one of; empty for everyone.
    eligible : bool
        Whether they are the eligible, or those who compete and could not be assigned.
    rows : ndarray of bool, shape (n,)
        Among units sorted by market.
    """

    label: str
    by: str
    eligible: bool
    rows: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class Months:
    """Months of outcome in which the same units count, each as much.

    Parameters
    ----------
    months : tuple of int
    counted : ndarray of shape (n,)
        What each unit, sorted by market, counts beyond its weight; 0 where it does not.
    values : ndarray of shape (n, n_months)
    """

    months: tuple[int, ...]
    counted: Floats
    values: Floats


def saturated_units(design: Design, *, method: str, by_tightness: bool = False) -> Saturated:
    """Columns of a design whose shares can tell effects.

    Raises
    ------
    DesignRefused
        See `whatworks.design.markets.identified.require_shares`; also when some units have a stratum and
        others none.
    """
    shares = require_shares(design, method=method, pure_control=False, by_tightness=by_tightness)
    units = design.units
    told = units[STRATUM].notna()
    if told.any() and not told.all():
        raise DesignRefused(
            what=method,
            needed="a stratum for every unit, or for none",
            found=f"{int((~told).sum())} units without",
            remedy="complete the stratum in which the share of their market was drawn",
        )
    order = np.argsort(shares.market, kind="stable")
    stratum = coded(units[STRATUM])[1] if told.all() else np.zeros(len(units), dtype=np.int64)
    took = units[TOOK_PART].to_numpy(dtype=float)[order] if TOOK_PART in units else None
    eligible = units[ELIGIBLE].to_numpy(dtype=bool) if ELIGIBLE in units else None
    return Saturated(
        order=order.astype(np.int64),
        assigned=units[TREATED].to_numpy(dtype=bool)[order],
        eligible=np.ones(order.size, dtype=bool) if eligible is None else eligible[order],
        share=shares.saturation[shares.cell][order],
        weight=units[WEIGHT].to_numpy(dtype=float)[order],
        market=shares.market[order],
        stratum=stratum[order].astype(np.int64),
        cell=shares.cell[order],
        covariates=units[list(design.covariates)].to_numpy(dtype=float)[order],
        took_part=took,
        shares=shares,
    )


def months_of(design: Design, units: Saturated) -> Iterator[Months]:
    """Months of outcome by who counts in them."""
    outcomes = design.outcomes
    alike: dict[bytes, list[int]] = {}
    held: dict[bytes, Floats] = {}
    for month in outcomes.months:
        counted = outcomes.counted(month)[units.order]
        key = counted.tobytes()
        alike.setdefault(key, []).append(month)
        held[key] = counted
    for key, months in alike.items():
        values = np.column_stack([outcomes.at(month)[units.order] for month in months])
        yield Months(months=tuple(months), counted=held[key], values=values)


def samples_of(design: Design, units: Saturated, by: Sequence[str]) -> list[Sample]:
    """Everyone, then the ineligible where they are seen, then groups declared beforehand.

    A group is of a covariate of the design, or of what is known of its markets (tightness, moderators): a
    number of more than twelve values is cut in thirds of the markets.

    Raises
    ------
    OptionError
        When a name is neither, or a covariate has more than twelve values.
    """
    found = [Sample(label=EVERYONE, by="", eligible=True, rows=units.eligible)]
    if not units.eligible.all():
        found.append(Sample(label=EVERYONE, by="", eligible=False, rows=~units.eligible))
    for name in by:
        groups = _of_markets(design, units, name)
        if groups is None:
            named = declared(design, (name,))[name]
            groups = {label: rows[units.order] for label, rows in named.items()}
        for label, rows in groups.items():
            found.append(Sample(label=label, by=name, eligible=True, rows=rows & units.eligible))
    return found


def families_of(samples: Sequence[Sample]) -> dict[str, tuple[str, ...]]:
    """Groups declared beforehand, by what they are groups of."""
    found: dict[str, dict[str, None]] = {}
    for sample in samples:
        if sample.by:
            found.setdefault(sample.by, {})[sample.label] = None
    return {by: tuple(labels) for by, labels in found.items()}


def _of_markets(design: Design, units: Saturated, name: str) -> dict[str, Bools] | None:
    """Groups by what is known of markets; None where the name is no column of theirs."""
    markets = design.markets
    known = () if markets is None else (TIGHTNESS, *markets.moderators)
    if markets is None or name not in known:
        return None
    column = _by_cell(markets.table, name, units.shares)
    if column.isna().any():
        raise OptionError(
            what=f"by={name!r}",
            needed="a value for every market",
            found=f"{int(column.isna().sum())} markets without",
            remedy="complete the table of markets",
        )
    levels = column.unique()
    if pd.api.types.is_numeric_dtype(column) and levels.size > MOST_LEVELS:
        cut = column.rank(method="average") / column.size
        third = np.minimum((cut.to_numpy() * 3 - 1e-9).astype(int), 2)
        return {
            f"{name}={word}": (third == k)[units.cell]
            for k, word in enumerate(THIRDS)
            if (third == k).any()
        }
    if levels.size > MOST_LEVELS:
        raise OptionError(
            what=f"by={name!r}",
            needed=f"at most {MOST_LEVELS} groups of markets",
            found=f"{levels.size}",
            remedy="merge them into classes before, and declare these",
        )
    numeric = pd.api.types.is_numeric_dtype(column)
    labels = sorted(levels) if numeric else sorted(levels, key=str)
    return {
        f"{name}={level:g}" if numeric else f"{name}={level}": (column == level).to_numpy()[
            units.cell
        ]
        for level in labels
    }


def _by_cell(table: pd.DataFrame, name: str, shares: Shares) -> pd.Series:
    """A column of the table of markets for each market and month of entry of the units."""
    names = shares.names[shares.of_cell].astype(str)
    told = pd.Series(
        table[name].to_numpy(),
        index=pd.MultiIndex.from_arrays([table[MARKET].astype(str), table[MONTH]]),
    )
    own = told.reindex(pd.MultiIndex.from_arrays([names, shares.month])).reset_index(drop=True)
    every = pd.MultiIndex.from_arrays([names, np.full(names.size, EVERY_MONTH)])
    return own.where(own.notna(), told.reindex(every).reset_index(drop=True))


def to_design(units: Saturated, weight: Floats, rows: Bools) -> Floats:
    """Weights under which each market's assigned are the share the design drew, shape (n,).

    Of a market of one arm that arm alone is brought to its own share.

    Parameters
    ----------
    units : Saturated
    weight : ndarray of shape (n,)
    rows : ndarray of bool, shape (n,)
        Units that count.
    """
    n_cells = units.shares.saturation.size
    mine = weight * rows
    total = np.bincount(units.cell, weights=mine, minlength=n_cells)
    treated = np.bincount(units.cell, weights=mine * units.assigned, minlength=n_cells)
    seen = np.divide(treated, total, out=np.zeros(n_cells), where=total > 0)[units.cell]
    meant = np.where(units.assigned, units.share, 1 - units.share)
    met = np.where(units.assigned, seen, 1 - seen)
    return np.asarray(weight * np.divide(meant, met, out=np.zeros(met.size), where=rows))


def market_table(units: Saturated) -> pd.DataFrame:
    """Markets and units of each share: what was drawn beside what the sample holds.

    Returns
    -------
    DataFrame
        ``saturation, n_markets, n_one_armed, n_assigned, n_unassigned, n_ineligible, sample_share``: the
        last, the weighted share of the eligible of the sample who are assigned. It is not the
        saturation where a survey drew the arms at different rates.
    """
    rows = []
    for share in units.shares.levels:
        here = units.share == share
        mine = here & units.eligible
        weight = units.weight * mine
        treated = np.unique(units.market[mine & units.assigned])
        others = np.unique(units.market[mine & ~units.assigned])
        inside = 0 < share < 1
        rows.append(
            {
                SATURATION: float(share),
                "n_markets": int(np.unique(units.market[here]).size),
                "n_one_armed": int(np.setxor1d(treated, others).size) if inside else 0,
                "n_assigned": int((mine & units.assigned).sum()),
                "n_unassigned": int((mine & ~units.assigned).sum()),
                "n_ineligible": int((here & ~units.eligible).sum()),
                "sample_share": float(weight @ units.assigned / weight.sum())
                if weight.sum() > 0
                else float("nan"),
            }
        )
    return pd.DataFrame(rows)


def weight_of_shares(units: Saturated) -> dict[float, float]:
    """What each positive share counts for in averages: its number of markets."""
    shares = units.shares
    return {
        float(share): float(n)
        for share, n in zip(shares.levels, shares.n_markets, strict=True)
        if share > 0
    }
