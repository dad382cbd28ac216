r"""Cells of a two-stage randomised saturation, and the regressions that restrict them.

A cell holds the units of one arm :math:`Z` in the markets of one share :math:`p`. Every regression of
this family has columns that are functions of the cell,

.. math:: Y_i = \alpha_{s} + \sum_j r_j(Z_i,p_c)\,\theta_j + X_i'\gamma + u_i

*saturated*: an indicator of every cell but one; *pooled*: :math:`r=(Z, 1\{p>0\})`, as published trials
print it; *linear*: :math:`r=(Z, Zp, (1-Z)p)`; *together*: :math:`r=1\{p=t\}`, both arms of a share as
one (Crépon et al. 2013, doi:10.1093/qje/qjt001; Baird et al. 2018, doi:10.1162/REST_a_00716). Each is
then a linear restriction of the first, and all are had from the same sums of products.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Arms and shares that are met, by share, the unassigned before the assigned.

    Parameters
    ----------
    assigned : ndarray of bool, shape (n_cells,)
    share : ndarray of shape (n_cells,)
    number : ndarray of int, shape (n,)
        Cell of each unit.
    """

    assigned: Bools
    share: Floats
    number: Ints

    @property
    def n(self) -> int:
        """Number of cells."""
        return int(self.share.size)

    def at(self, *, assigned: bool, share: float) -> int | None:
        """Number of a cell; None where nobody is in it."""
        found = np.flatnonzero((self.assigned == assigned) & (self.share == share))
        return int(found[0]) if found.size else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A regression as a restriction of cells, and what is read off it.

    Parameters
    ----------
    columns : ndarray of shape (n_cells, k)
        Value of each column in each cell.
    forms : ndarray of shape (n_terms, k)
        Each term as a combination of coefficients.
    terms : tuple of str
    shares : ndarray of shape (n_terms,)
        The share a term belongs to; NaN when it is over several.
    """

    columns: Floats
    forms: Floats
    terms: tuple[str, ...]
    shares: Floats


def cells_of(assigned: Bools, share: Floats) -> Cells:
    """Cells of units.

    Parameters
    ----------
    assigned : ndarray of bool, shape (n,)
    share : ndarray of shape (n,)
        Share of the unit's market assigned by design.

    Examples
    --------
    >>> cells = cells_of(np.array([True, False, False]), np.array([0.5, 0.5, 0.0]))
    >>> cells.share.tolist(), cells.assigned.tolist(), cells.number.tolist()
    ([0.0, 0.5, 0.5], [False, False, True], [2, 1, 0])
    """
    levels, level = np.unique(share, return_inverse=True)
    code = 2 * level.astype(np.int64) + assigned
    met, number = np.unique(code, return_inverse=True)
    return Cells(
        assigned=np.asarray(met % 2 == 1),
        share=np.asarray(levels[met // 2], dtype=float),
        number=number.astype(np.int64),
    )


def saturated(cells: Cells) -> Model:
    """One mean per cell: indicators of all but the first, and each cell less the first as terms."""
    columns = np.eye(cells.n)[:, 1:]
    return Model(
        columns=columns,
        forms=np.vstack([np.zeros((1, cells.n - 1)), np.eye(cells.n - 1)]),
        terms=tuple("assigned" if a else "unassigned" for a in cells.assigned),
        shares=cells.share,
    )


def pooled(cells: Cells) -> Model | None:
    """One direct and one spillover coefficient over all positive shares, as papers print them.

    Treated units come mostly from markets of high share and untreated ones from markets of low
    share: when spillovers differ by share, the pooled direct effect is no average of DE(t). Without
    pure control the direct effect alone is told, shares held; None where no share has both arms.
    """
    positive = cells.share > 0
    both = np.intersect1d(cells.share[cells.assigned], cells.share[~cells.assigned])
    anchored = bool((cells.share[~cells.assigned] == 0).any())
    nan = float("nan")
    if not anchored:
        if not both.size:
            return None
        shares = np.unique(cells.share)[1:]
        beside = (cells.share[:, None] == shares[None, :]).astype(float)
        forms = np.eye(1, 1 + shares.size)
        columns = np.column_stack([cells.assigned.astype(float), beside])
        return Model(columns=columns, forms=forms, terms=("direct",), shares=np.array([nan]))
    if not both.size:
        return None
    columns = np.column_stack([cells.assigned, positive]).astype(float)
    return Model(
        columns=columns,
        forms=np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
        terms=("direct", "spillover", "total"),
        shares=np.full(3, nan),
    )


def linear(cells: Cells) -> Model | None:
    """Lines in the share, one for each arm; None where an arm is met at fewer than two shares.

    Terms: how much the outcome of the assigned, and of the unassigned, moves from nobody's being
    assigned to everybody's, and the direct effect where next to nobody is.
    """
    z, p = cells.assigned.astype(float), cells.share
    if np.unique(p[cells.assigned]).size < 2 or np.unique(p[~cells.assigned]).size < 2:
        return None
    return Model(
        columns=np.column_stack([z, z * p, (1 - z) * p]),
        forms=np.eye(3)[[1, 2, 0]],
        terms=("slope_assigned", "slope_unassigned", "direct"),
        shares=np.full(3, float("nan")),
    )


def together(cells: Cells) -> Model | None:
    """Both arms of a share as one: the effect per eligible person, once rows weigh as the design drew.

    None without pure control. A share is in it where it was met in the arms it has.
    """
    shares = np.unique(cells.share)
    if shares[0] != 0 or shares.size < 2:
        return None
    columns = (cells.share[:, None] == shares[None, 1:]).astype(float)
    return Model(
        columns=columns,
        forms=np.eye(shares.size - 1),
        terms=("overall",) * (shares.size - 1),
        shares=shares[1:],
    )


def on_a_line(cells: Cells) -> Floats:
    """Constraints on cell means under which each arm's are on a line, shape (n_constraints, n_cells).

    Divided differences: three shares of an arm in a row are on one line.
    """
    rows = []
    for arm in (False, True):
        mine = np.flatnonzero(cells.assigned == arm)
        for one, two, three in zip(mine, mine[1:], mine[2:], strict=False):
            p = cells.share[[one, two, three]]
            row = np.zeros(cells.n)
            row[two], row[one] = 1 / (p[1] - p[0]), -1 / (p[1] - p[0])
            row[three], row[two] = (
                row[three] - 1 / (p[2] - p[1]),
                row[two] + 1 / (p[2] - p[1]),
            )
            rows.append(row)
    return np.array(rows).reshape(len(rows), cells.n)


def flat(cells: Cells) -> Floats:
    """Constraints under which the share moves no arm's mean, shape (n_constraints, n_cells)."""
    rows = []
    for arm in (False, True):
        mine = np.flatnonzero(cells.assigned == arm)
        for one, two in pairwise(mine):
            row = np.zeros(cells.n)
            row[two], row[one] = 1.0, -1.0
            rows.append(row)
    return np.array(rows).reshape(len(rows), cells.n)


def alike(cells: Cells, term: str) -> Floats:
    """Constraints under which a term is the same at all shares, shape (n_shares − 1, n_cells).

    Parameters
    ----------
    cells : Cells
    term : str
        ``"direct"``, ``"spillover"`` or ``"total"``.
    """
    forms = at_shares(cells, term)
    return forms[1:] - forms[:1]


def at_shares(cells: Cells, term: str) -> Floats:
    """A term at every positive share that tells it, as forms of cell means, shape (n_shares, n_cells)."""
    rows = []
    none = cells.at(assigned=False, share=0.0)
    for share in np.unique(cells.share[cells.share > 0]):
        one = cells.at(assigned=True, share=float(share))
        zero = cells.at(assigned=False, share=float(share))
        plus, minus = {"direct": (one, zero), "spillover": (zero, none), "total": (one, none)}[term]
        if plus is not None and minus is not None:
            row = np.zeros(cells.n)
            row[plus], row[minus] = 1.0, -1.0
            rows.append(row)
    return np.array(rows).reshape(len(rows), cells.n)
