"""Cells of territory and arm that must be hidden, and those hidden so that they cannot be found back."""

from __future__ import annotations

from typing import Final

import numpy as np

from whatworks.indicators.case import Case, Criterion, Reading
from whatworks.indicators.measured import ARM, PERSONS, TERRITORY


def read(case: Case) -> tuple[Reading, ...]:
    """Share of cells; measured when arms are told apart."""
    if not case.arms:
        return ()
    people = case.measured.people
    people = people[people[ARM].isin(case.arms)]
    if people.empty:
        return ()
    table = people.pivot_table(
        index=TERRITORY, columns=ARM, values=PERSONS, aggfunc="sum", fill_value=0
    ).to_numpy(float)
    hidden = protected(table, smallest=case.gate.smallest_cell)
    return (Reading(value=float(hidden.mean())),)


def protected(table: np.ndarray, *, smallest: int) -> np.ndarray:
    """Cells to hide: the small ones, and others so that no margin gives one back.

    Parameters
    ----------
    table : ndarray of shape (n_rows, n_columns)
        Counts whose row and column totals are known.
    smallest : int
        Count from which a cell may be shown; an empty cell may.

    Returns
    -------
    ndarray of bool, shape (n_rows, n_columns)

    Notes
    -----
    A row or column with exactly one hidden cell would give it back: its smallest shown cell is
    hidden too, until none is left so. Each round hides at least one cell more.
    """
    hidden: np.ndarray = (table > 0) & (table < smallest)
    changed = True
    while changed:
        changed = False
        for counts, mask in ((table, hidden), (table.T, hidden.T)):
            for row in np.flatnonzero(mask.sum(axis=1) == 1):
                open_cells = np.flatnonzero(~mask[row])
                if open_cells.size:
                    mask[row, open_cells[np.argmin(counts[row, open_cells])]] = True
                    changed = True
    return hidden


CRITERION: Final = Criterion(
    name="hidden_cells",
    read=read,
    found="{measured:.1%} of cells by territory and arm hidden",
    needed="at most {threshold:.0%}",
    remedy="group territories or arms, or publish the whole only",
)
