"""What the months before entry were made of, arm by arm: read when comparisons are chosen.

Only months before entry are read, and only their shares by arm are kept.
"""

from __future__ import annotations

from typing import Final

import ibis
import pandas as pd
from ibis import _

from whatworks.design.balance import ARMS, FEWEST
from whatworks.design.covariates import LONG_HISTORY
from whatworks.panel.record import Panel
from whatworks.stats.balance import standardised_difference
from whatworks.vocabulary import ENTRY_MONTH, MONTH, PERSON, TREATED, WEIGHT

COLUMNS: Final = ("state", "month", "treated", "comparison", "smd")


def histories(panel: Panel, units: pd.DataFrame) -> pd.DataFrame:
    """Share of each arm in each kind of state, by month before entry.

    Parameters
    ----------
    panel : Panel
    units : DataFrame
        Units of a design, with their weights.

    Returns
    -------
    DataFrame
        ``state, month`` (−24 to −1 since entry), ``treated, comparison`` (weighted shares of those
        seen that month), ``smd``. A share is NaN where it, or what it leaves, may rest on fewer
        than eleven persons.
    """
    told = units[[PERSON, ENTRY_MONTH, TREATED, WEIGHT]]
    wanted = ibis.memtable(told.rename(columns={WEIGHT: "stands_for"}))
    states = tuple(panel.states)
    months = panel.table.select(PERSON, MONTH, *states).join(wanted, PERSON)
    since = months.mutate(since=(_[MONTH] - _[ENTRY_MONTH]).cast("int32"))
    before = since.filter(_.since.between(-LONG_HISTORY, -1))
    sums = {}
    for state in states:
        inside = before[state] > 0
        sums[f"{state}_weight"] = before.stands_for.sum(where=before[state].notnull())
        sums[f"{state}_inside"] = before.stands_for.sum(where=inside)
        sums[f"{state}_n"] = before[state].count()
        sums[f"{state}_n_inside"] = inside.sum()
    found = before.group_by(TREATED, "since").aggregate(**sums).order_by("since").execute()
    # A person may stand in several units of an arm: so many units are eleven persons for certain.
    most = {arm: _most_units(told, arm) for arm in (True, False)}
    rows = [_shares(found, state, most) for state in states]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=list(COLUMNS))


def _most_units(units: pd.DataFrame, arm: bool) -> int:  # noqa: FBT001 - the arm is what it is about
    return int(units.loc[units[TREATED] == arm, PERSON].value_counts().max())


def _shares(found: pd.DataFrame, state: str, most: dict[bool, int]) -> pd.DataFrame:
    """Shares of one state, months in rows, arms in columns."""
    sides = {}
    for name, arm in zip(ARMS, (True, False), strict=True):
        rows = found[found[TREATED] == arm].set_index("since")
        inside, seen = (rows[f"{state}_{n}"].astype(float) for n in ("n_inside", "n"))
        fewest = FEWEST * most[arm]
        hidden = inside.between(1, fewest - 1) | (seen - inside).between(1, fewest - 1)
        share = rows[f"{state}_inside"].astype(float).fillna(0) / rows[f"{state}_weight"]
        sides[name] = share.astype(float).mask(hidden | (seen < fewest))
    table = pd.DataFrame(sides)
    one, zero = (table[arm].to_numpy() for arm in ARMS)
    smd = standardised_difference(one, zero, variance=one * (1 - one))
    named = table.assign(state=state, smd=smd).rename_axis("month").reset_index()
    return named[list(COLUMNS)]
