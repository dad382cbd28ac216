"""Joint tests on responses: spillovers nil, terms alike at all shares, lines, groups alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.estimate.shares.cell_regressions import Fitted, combined
from whatworks.estimate.shares.responses import ASSIGNED, INELIGIBLE, Responses
from whatworks.stats.displacement.contrasts import Cells, alike, at_shares, flat, on_a_line
from whatworks.stats.displacement.joint import FTest, hotelling, wald

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TESTS: Final = "tests"
"""Key of an estimate's extras: its joint tests."""
TERMS: Final = ("direct", "spillover", "total")
COLUMNS: Final = ("test", "group", "month", "statistic", "df", "df_residual", "p_value")


def joint_tests(
    responses: Responses,
    *,
    families: Mapping[str, Sequence[str]],
    fits: Sequence[Fitted] = (),
    df: float = np.inf,
) -> pd.DataFrame:
    """Joint tests of a method of this family.

    Parameters
    ----------
    responses : Responses
    families : mapping of str to sequence of str
        Groups declared beforehand, by what they are groups of.
    fits : sequence of Fitted
        Regressions by CR2, whose tests are Hotelling's.
    df : float
        Residual degrees of freedom of the others; infinite for chi-square.

    Returns
    -------
    DataFrame
        ``test, group, month, statistic, df, df_residual, p_value``, statistics on the scale of F.
        ``average_direct``: nil on average over shares; ``no_direct``, ``no_spillover``: nil at every share;
        ``same_direct``, ``same_spillover``, ``same_total``: alike at all shares; ``line``: means of each
        arm on a line in the share, against one mean per cell; ``flat``: means of each arm alike at all
        shares, those of the unassigned at zero too; ``groups_direct``, ``groups_spillover``,
        ``groups_total``: averages alike in all groups, ``group`` being what they are groups of.
    """
    rows = []
    by_cell = {(f.sample.label, m): (f, k) for f in fits for k, m in enumerate(f.months)
               if f.model == "saturated" and f.sample.eligible}  # fmt: skip
    for group, month in _curves(responses):
        cells, at = _cells(responses, group, month)
        for name, constraints in _within(cells, responses.weight):
            held = by_cell.get((group, month))
            if held is not None and held[0].adjusted is not None:
                found = _hotelling(*held, constraints)
            else:
                found = _wald(responses, at, constraints, df=df)
            rows.append(_row(name, group, month, found, responses))
    for by, groups in families.items():
        for month in np.unique(responses.month).tolist():
            for term in TERMS:
                gaps = _gaps(responses, groups, month, term)
                if gaps is not None:
                    every = np.arange(responses.mean.size)
                    found = _wald(responses, every, gaps, df=df)
                    rows.append(_row(f"groups_{term}", by, month, found, responses))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(name: str, group: str, month: int, found: FTest, responses: Responses) -> dict[str, Any]:
    return {
        "test": name,
        "group": group,
        "month": month,
        "statistic": found.statistic,
        "df": found.df,
        "df_residual": found.df_residual,
        "p_value": found.p_value if responses.p_values else float("nan"),
    }


def _curves(responses: Responses) -> list[tuple[str, int]]:
    """Groups and months of the eligible, in the order in which they appear."""
    own = responses.arm != INELIGIBLE
    pairs = zip(responses.group[own].tolist(), responses.month[own].tolist(), strict=True)
    return list(dict.fromkeys(pairs))


def _cells(responses: Responses, group: str, month: int) -> tuple[Cells, Ints]:
    """Cells of one group and month, by share, and where they are in the responses."""
    mine = (responses.group == group) & (responses.month == month)
    at = np.flatnonzero(mine & (responses.arm != INELIGIBLE))
    assigned = np.asarray(responses.arm[at] == ASSIGNED)
    order = np.lexsort((assigned, responses.saturation[at]))
    at = at[order]
    cells = Cells(
        assigned=assigned[order], share=responses.saturation[at], number=np.arange(at.size)
    )
    return cells, at


def _within(cells: Cells, weight: Mapping[float, float]) -> Iterator[tuple[str, Floats]]:
    """Constraints on the cells of one group and month, by name."""
    direct = at_shares(cells, "direct")
    if direct.shape[0]:
        of_share = np.array([weight[float(t)] for t in cells.share[direct.argmax(axis=1)]])
        yield "average_direct", (of_share / of_share.sum())[None, :] @ direct
    for term in ("direct", "spillover"):
        constraints = at_shares(cells, term)
        if constraints.shape[0]:
            yield f"no_{term}", constraints
    for term in TERMS:
        if at_shares(cells, term).shape[0] > 1:
            yield f"same_{term}", alike(cells, term)
    for name, found in (("line", on_a_line(cells)), ("flat", flat(cells))):
        if found.shape[0]:
            yield name, found


def _wald(responses: Responses, at: Ints, constraints: Floats, *, df: float) -> FTest:
    n_further = 0 if responses.further is None else responses.further.effect.size
    forms = np.zeros((constraints.shape[0], responses.mean.size + n_further))
    forms[:, at] = constraints
    covariance = responses.uncertainty.combine(forms).covariance()
    return wald(constraints @ responses.mean[at], covariance, df=df)


def _hotelling(fitted: Fitted, month: int, constraints: Floats) -> FTest:
    """Of one regression; cells are in the same order there."""
    forms = combined(fitted.forms, constraints)
    value = fitted.fit.read(forms)[:, month]
    if fitted.adjusted is None or not value.size:
        return wald(value, np.eye(value.size))
    return hotelling(fitted.adjusted, forms, value, outcome=month)


def _gaps(responses: Responses, groups: Sequence[str], month: int, term: str) -> Floats | None:
    """Averages of a term in each group less that in the first; None where a group does not tell it."""
    found = []
    for group in groups:
        cells, at = _cells(responses, group, month)
        shares = [
            share
            for share in np.unique(cells.share[cells.share > 0])
            if all(_told(cells, name, float(share)) for name in TERMS)
        ] or [s for s in np.unique(cells.share[cells.share > 0]) if _told(cells, term, float(s))]
        if not shares:
            return None
        mass = sum(responses.weight[float(share)] for share in shares)
        form = np.zeros(responses.mean.size)
        for share in shares:
            only = at_shares(_only(cells, float(share)), term)
            if not only.shape[0]:
                return None
            form[at] += only[0] * responses.weight[float(share)] / mass
        found.append(form)
    rows = np.array(found)
    return rows[1:] - rows[:1] if len(found) > 1 else None


def _told(cells: Cells, term: str, share: float) -> bool:
    return bool(at_shares(_only(cells, share), term).shape[0])


def _only(cells: Cells, share: float) -> Cells:
    """The same cells, those of other positive shares written so that no term is read of them."""
    other = (cells.share > 0) & (cells.share != share)
    return Cells(
        assigned=cells.assigned,
        share=np.where(other, -1.0, cells.share),
        number=cells.number,
    )
