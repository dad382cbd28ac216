"""What the months before entry were made of, arm by arm: read when comparisons are chosen.

Only months before entry are read, and only their shares by arm are kept.
"""

from __future__ import annotations

from typing import Final

import ibis
import pandas as pd
from ibis import _

from whatworks.design.covariates import LONG_HISTORY
from whatworks.design.looking.balance import ARMS, FEWEST
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
        seen that month), ``smd``. A share is NaN where fewer than eleven persons were in the state,
        or out of it, unless nobody was.
    """
    told = units[[PERSON, ENTRY_MONTH, TREATED, WEIGHT]]
    wanted = ibis.memtable(told.rename(columns={WEIGHT: "stands_for"}))
    states = tuple(panel.states)
    months = panel.table.select(PERSON, MONTH, *states).join(wanted, PERSON)
    since = months.mutate(since=(_[MONTH] - _[ENTRY_MONTH]).cast("int32"))
    before = since.filter(_.since.between(-LONG_HISTORY, -1))
    found = _sums(before, states).order_by("since").execute()
    rows = [_shares(found, state) for state in states]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=list(COLUMNS))


def _sums(before: ibis.Table, states: tuple[str, ...]) -> ibis.Table:
    """By arm and month, the weight in each state and seen, and the persons in it and out of it.

    A person may stand in several units of an arm: persons are told apart first, then counted.
    """
    person: dict[str, ibis.Value] = {}
    arm: dict[str, ibis.Value] = {}
    for state in states:
        inside, outside = before[state] > 0, before[state] == 0
        person[f"{state}_seen"] = before.stands_for.sum(where=before[state].notnull())
        person[f"{state}_inside"] = before.stands_for.sum(where=inside)
        person[f"{state}_n_inside"] = inside.any().cast("int32")
        person[f"{state}_n_outside"] = outside.any().cast("int32")
    by_person = before.group_by(TREATED, "since", PERSON).aggregate(**person)
    for name in person:
        arm[name] = by_person[name].sum()
    return by_person.group_by(TREATED, "since").aggregate(**arm)


def _shares(found: pd.DataFrame, state: str) -> pd.DataFrame:
    """Shares of one state, months in rows, arms in columns."""
    sides = {}
    for name, arm in zip(ARMS, (True, False), strict=True):
        rows = found[found[TREATED] == arm].set_index("since")
        inside, outside = (rows[f"{state}_n_{n}"].astype(float) for n in ("inside", "outside"))
        hidden = inside.between(1, FEWEST - 1) | outside.between(1, FEWEST - 1)
        share = rows[f"{state}_inside"].astype(float).fillna(0) / rows[f"{state}_seen"]
        sides[name] = share.astype(float).mask(hidden)
    table = pd.DataFrame(sides)
    one, zero = (table[arm].to_numpy() for arm in ARMS)
    smd = standardised_difference(one, zero, variance=one * (1 - one))
    named = table.assign(state=state, smd=smd).rename_axis("month").reset_index()
    return named[list(COLUMNS)]
