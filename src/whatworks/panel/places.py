"""Where each person lives, as of each month: told places become intervals that do not overlap."""

from __future__ import annotations

from typing import Final

import ibis
from ibis import _

from whatworks.vocabulary import COMMUNE, FIRST, LAST, PERSON, SOURCE

FOREVER: Final = 2**31 - 2
"""Month after every other: an interval that nothing ends."""


def lived_in(places: ibis.Table) -> ibis.Table:
    """Intervals ``person_id, commune, first, last`` (int32, `FOREVER` when nothing follows).

    Parameters
    ----------
    places : ibis.Table
        ``source, person_id, commune, first, last``, as `Records` have them.

    Notes
    -----
    As of a month, a person lives in the commune told for the latest month not after it. Of several
    told for that month, the one told since the latest month; then the first by name of source and
    of commune. The answer can only change in a month in which a told interval begins, or in the
    one after it ends.
    """
    told = _runs(places)
    begins = told.select(PERSON, at=told[FIRST])
    after = told.filter(told[LAST] < FOREVER).select(PERSON, at=(_[LAST] + 1).cast("int32"))
    events = ibis.union(begins, after).distinct()
    known = events.join(told, [events[PERSON] == told[PERSON], events["at"] >= told[FIRST]])
    best = known.mutate(
        rank=ibis.row_number().over(
            ibis.window(
                group_by=[PERSON, "at"],
                order_by=[
                    ibis.least(known[LAST], known["at"]).desc(),
                    known[FIRST].desc(),
                    known[SOURCE].asc(),
                    known[COMMUNE].asc(),
                ],
            )
        )
    ).filter(_.rank == 0)
    follows = ibis.window(group_by=PERSON, order_by="at")
    return best.select(
        PERSON,
        COMMUNE,
        first=best["at"].cast("int32"),
        last=(ibis.coalesce(best["at"].lead(1).over(follows), FOREVER + 1) - 1).cast("int32"),
    )


def _runs(places: ibis.Table) -> ibis.Table:
    """Adjacent and overlapping tellings of one commune by one source, as one."""
    keys = [SOURCE, PERSON, COMMUNE]
    closed = places.mutate(last=ibis.coalesce(places[LAST], FOREVER).cast("int32"))
    order = [FIRST, LAST]
    earlier = ibis.window(group_by=keys, order_by=order, preceding=(None, 1))
    upto = ibis.window(group_by=keys, order_by=order, preceding=None, following=0)
    reach = closed.mutate(reach=closed[LAST].max().over(earlier))
    begins = reach.mutate(
        begins=(reach.reach.isnull() | (reach[FIRST] > reach.reach + 1)).cast("int32")
    )
    runs = begins.mutate(run=_.begins.sum().over(upto))
    return (
        runs.group_by([*keys, "run"])
        .aggregate(first=_[FIRST].min(), last=_[LAST].max())
        .drop("run")
    )
