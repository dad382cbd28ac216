"""Shares of markets under treatment, read off a design once and by market: what the door looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.markets.reading import coded
from whatworks.design.markets.record import EVERY_MONTH
from whatworks.vocabulary import (
    ELIGIBLE,
    ENTRY_MONTH,
    MARKET,
    MONTH,
    SATURATION,
    STRATUM,
    TREATED,
)

if TYPE_CHECKING:
    from whatworks.design.record import Design

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Texts = NDArray[np.object_]

FEWEST_MARKETS: Final = 3
"""Markets on either side below which nothing is said of shares."""
FEWEST_FOR_P: Final = 6
"""Markets on either side below which no probability is printed but that of randomisation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Share of each market under treatment, and how many markets there are to tell its effect.

    A *cell* is a market in a month of entry: one share holds for all its units. Without months of
    entry a cell is a market.

    Parameters
    ----------
    names : ndarray of object, shape (n_markets,)
        Markets, in alphabetical order.
    market, cell : ndarray of int, shape (n_units,)
        Position of each unit's market and cell.
    of_cell, month : ndarray of int, shape (n_cells,)
        Market and month of entry of each cell.
    saturation : ndarray of shape (n_cells,)
        Share by cell.
    n_units : ndarray of int, shape (n_cells, 2)
        Eligible units of each cell, unassigned then assigned.
    n_ineligible : ndarray of int, shape (n_cells,)
    eligible : ndarray of bool, shape (n_units,)
        Who could have been treated.
    strata : ndarray of int, shape (n_units,), or None
        Position of each unit's stratum.
    """

    names: Texts
    market: Ints
    cell: Ints
    of_cell: Ints
    month: Ints
    saturation: Floats
    n_units: Ints
    n_ineligible: Ints
    eligible: Bools
    strata: Ints | None = None

    @property
    def levels(self) -> Floats:
        """Distinct shares, increasing."""
        return np.unique(self.saturation[~np.isnan(self.saturation)])

    @property
    def n_markets(self) -> Ints:
        """Markets at each of `levels`, shape (n_levels,)."""
        return np.array([self._markets(self.saturation == t) for t in self.levels], dtype=np.int64)

    @property
    def stratum(self) -> Ints | None:
        """Position of each cell's stratum, shape (n_cells,); −1 where its units are of several."""
        if self.strata is None:
            return None
        found, mixed = _one_each(self.cell, self.strata.astype(float), self.saturation.size)
        return np.where(mixed, -1, found).astype(np.int64)

    @property
    def by_market(self) -> Floats:
        """Share of each market, the mean of its cells by their units; shape (n_markets,)."""
        size = self.n_units.sum(axis=1) + self.n_ineligible
        total = np.bincount(self.of_cell, size, self.names.size)
        summed = np.bincount(self.of_cell, size * self.saturation, self.names.size)
        return np.asarray(summed / total)

    @property
    def sides(self) -> tuple[int, int]:
        """Markets without anyone under treatment, and markets with some.

        Where every market has some: the most even split of markets by their share.
        """
        none, some = self.saturation == 0, self.saturation > 0
        if none.any():
            return self._markets(none), self._markets(some)
        share = np.sort(self.by_market)
        below = np.flatnonzero(np.diff(share) > 0) + 1
        if not below.size:
            return 0, share.size
        best = int(below[np.argmax(np.minimum(below, share.size - below))])
        return best, share.size - best

    @property
    def p_values(self) -> bool:
        """Whether there are markets enough for probabilities other than those of randomisation."""
        return min(self.sides) >= FEWEST_FOR_P

    @property
    def one_armed(self) -> pd.DataFrame:
        """Cells of a share strictly between 0 and 1 in which one arm has no unit.

        Returns
        -------
        DataFrame
            ``market, month, saturation, missing`` (the arm: ``"assigned"`` or ``"unassigned"``),
            ``n_units``.
        """
        inside = (self.saturation > 0) & (self.saturation < 1)
        lacks = inside[:, None] & (self.n_units == 0)
        at = np.flatnonzero(lacks.any(axis=1))
        return pd.DataFrame(
            {
                MARKET: self.names[self.of_cell[at]],
                MONTH: self.month[at],
                SATURATION: self.saturation[at],
                "missing": np.where(lacks[at, 1], "assigned", "unassigned").astype(object),
                "n_units": self.n_units[at].sum(axis=1),
            }
        )

    def _markets(self, cells: Bools) -> int:
        return int(np.unique(self.of_cell[cells]).size)


def read_shares(design: Design) -> tuple[Shares, int]:
    """Shares of a design by cell, and how many cells have several.

    Units without a market must have been refused before.
    """
    units = design.units
    names, market = coded(units[MARKET])
    months, month = np.unique(units[ENTRY_MONTH].to_numpy(), return_inverse=True)
    keys, cell = _dense(market * months.size + month)
    saturation = units[SATURATION].to_numpy(dtype=float)
    share, several = _one_each(cell, saturation, keys.size)
    eligible = _eligible(design)
    treated = units[TREATED].to_numpy()
    counts = np.column_stack(
        [np.bincount(cell[eligible & arm], minlength=keys.size) for arm in (~treated, treated)]
    )
    shares = Shares(
        names=names,
        market=market,
        cell=cell,
        of_cell=(keys // months.size).astype(np.int64),
        month=months[keys % months.size].astype(np.int64),
        saturation=share,
        n_units=counts.astype(np.int64),
        n_ineligible=np.bincount(cell[~eligible], minlength=keys.size).astype(np.int64),
        eligible=eligible,
        strata=coded(units[STRATUM])[1] if units[STRATUM].notna().all() else None,
    )
    return shares, int(several.sum())


def by_cell(design: Design, shares: Shares, column: str) -> Floats:
    """A column of the table of markets for each cell of the units; NaN where not known.

    Rows of `EVERY_MONTH` hold for every month without a row of its own.
    """
    found = np.full(shares.saturation.size, np.nan)
    if design.markets is None:
        return found
    table = design.markets.table
    told = pd.Series(
        table[column].to_numpy(dtype=float),
        index=pd.MultiIndex.from_arrays([table[MARKET].astype(str), table[MONTH]]),
    )
    names = shares.names[shares.of_cell].astype(str)
    for month in (np.full(found.size, EVERY_MONTH), shares.month):
        own = told.reindex(pd.MultiIndex.from_arrays([names, month])).to_numpy()
        found = np.where(np.isnan(own), found, own)
    return found


def _eligible(design: Design) -> Bools:
    if ELIGIBLE not in design.units:
        return np.ones(len(design.units), dtype=bool)
    return np.asarray(design.units[ELIGIBLE].to_numpy(dtype=bool))


def _dense(keys: Ints) -> tuple[Ints, Ints]:
    """Distinct keys in increasing order and the position of each row, without sorting the rows."""
    codes, found = pd.factorize(keys)
    order = np.argsort(found, kind="stable")
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.arange(order.size)
    return np.asarray(found, dtype=np.int64)[order], place[codes]


def _one_each(cell: Ints, values: Floats, n_cells: int) -> tuple[Floats, Bools]:
    """A value for each cell, and whether its rows have another; undefined equals undefined."""
    one = np.full(n_cells, np.nan)
    one[cell] = values
    mine = one[cell]
    other = ~((mine == values) | (np.isnan(mine) & np.isnan(values)))
    return one, np.bincount(cell[other], minlength=n_cells) > 0
