"""Counts of months as differences of running sums, several to a number.

A running sum over a person's months is the dear part of a window; a lag is cheap. So the months in
which something holds are summed once from the panel's first month on, ten bits for each thing counted
and six things to a number, and every count over the k months before a row is the difference of two
lags of that sum, field by field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import ibis

from whatworks.vocabulary import MONTH, PERSON

BITS: Final = 10
"""Of a field: a panel has fewer than 1,024 months."""
FIELDS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Things counted, by name, and the months of panel they begin with.

    Parameters
    ----------
    names : tuple of str
    first : int
        First month of the panel.
    """

    names: tuple[str, ...]
    first: int

    def running(self, holds: Mapping[str, ibis.Value]) -> dict[str, ibis.Value]:
        """Columns of running sums, the row's own month included; ``holds`` is 0 or 1 by name."""
        upto = ibis.window(group_by=PERSON, order_by=MONTH, preceding=None, following=0)
        columns: dict[str, ibis.Value] = {}
        for start in range(0, len(self.names), FIELDS):
            packed: ibis.Value = ibis.literal(0, "int64")
            for place, name in enumerate(self.names[start : start + FIELDS]):
                packed = packed + holds[name].cast("int64") * (1 << BITS * place)
            columns[_column(start // FIELDS)] = packed.sum().over(upto).cast("int64")
        return columns

    def lagged(self, table: ibis.Table, months: frozenset[int]) -> dict[str, ibis.Value]:
        """Columns of the running sums so many months before the row; 0 before the panel."""
        order = ibis.window(group_by=PERSON, order_by=MONTH)
        return {
            _column(pack, k): ibis.coalesce(table[_column(pack)].lag(k).over(order), 0)
            for pack in range(-(-len(self.names) // FIELDS))
            for k in sorted(months)
        }

    def leading(self, table: ibis.Table, months: int) -> dict[str, ibis.Value]:
        """Columns of the running sums so many months after the row; null past the panel."""
        order = ibis.window(group_by=PERSON, order_by=MONTH)
        return {
            _column(pack, -months): table[_column(pack)].lead(months).over(order)
            for pack in range(-(-len(self.names) // FIELDS))
        }

    def over(self, table: ibis.Table, name: str, *, near: int = 1, far: int) -> ibis.Value:
        """Months from ``far`` to ``near`` months before the row in which a thing holds.

        A negative ``near`` lies after the row, 0 is its own month.
        """
        pack, place = divmod(self.names.index(name), FIELDS)
        # Sums only grow, so that no field borrows from the next.
        packed = table[_column(pack, near)] - table[_column(pack, far + 1)]
        return (packed >> BITS * place) & ((1 << BITS) - 1)

    def ever(self, table: ibis.Table, name: str) -> ibis.Value:
        """Months before the row in which a thing holds, since the panel began."""
        pack, place = divmod(self.names.index(name), FIELDS)
        return (table[_column(pack, 1)] >> BITS * place) & ((1 << BITS) - 1)

    def reaches(self, table: ibis.Table, far: int) -> ibis.Value:
        """Whether the panel has so many months before the row."""
        return table[MONTH] >= self.first + far


def _column(pack: int, months: int = 0) -> str:
    return f"counted {pack}" if months == 0 else f"counted {pack} lag {months}"
