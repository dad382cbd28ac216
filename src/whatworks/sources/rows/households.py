"""Who lives with whom: the household of each person, by its identifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import ibis
from ibis import _

from whatworks.sources.mapping import Source
from whatworks.sources.passages import Passage
from whatworks.sources.rows.identifiers import bare, joined, named, widened
from whatworks.sources.scratch import Scratch
from whatworks.vocabulary import HOUSEHOLD, PERSON

_PART: Final = "raw_household_"
_SAID: Final = "said_household"


def household_columns(source: Source) -> dict[str, str]:
    """Columns that identify a household."""
    return {} if source.household is None else named(_PART, source.household.columns)


def with_household(rows: ibis.Table, source: Source) -> ibis.Table:
    """Rows with their household, null where a part of its identifier is blank."""
    if source.household is None:
        return rows
    written = source.household
    bared = [bare(rows[part].strip(), written).nullif("") for part in household_columns(source)]
    return rows.mutate(**{_SAID: joined([widened(part, written) for part in bared])})


def carried_columns(source: Source) -> tuple[str, ...]:
    """Columns that `said_households` needs of rows."""
    return () if source.household is None else (_SAID,)


def said_households(rows: ibis.Table, source: Source) -> ibis.Table | None:
    """``person_id, household``: each pair once, None where the source says nothing of households."""
    if source.household is None:
        return None
    known = rows.filter(rows[_SAID].notnull())
    return known.select(PERSON, **{HOUSEHOLD: known[_SAID]}).distinct()


def one_household_each(
    said: Sequence[ibis.Table], *, scratch: Scratch
) -> tuple[ibis.Table, Passage]:
    """Give each person one household.

    Persons move between households, and rows do not always say when. One household is kept, the last
    in the order of their identifiers whatever the order of rows and files; the others are counted.

    Parameters
    ----------
    said : sequence of ibis.Table
        As `said_households` gives them.
    scratch : Scratch

    Returns
    -------
    households : ibis.Table
        ``person_id, household``: each person once.
    passage : Passage
        Households of persons, those not kept left behind.
    """
    together = (ibis.union(*said) if len(said) > 1 else said[0]).distinct()
    each = together.group_by(PERSON).aggregate(
        **{HOUSEHOLD: _[HOUSEHOLD].max(), "households": _.count()}
    )
    held = scratch.keep("households", each, what=HOUSEHOLD)
    counts = held.aggregate(before=_.households.sum().fill_null(0), after=_.count()).execute()
    before, after = int(counts["before"].iloc[0]), int(counts["after"].iloc[0])
    passage = Passage(
        name=HOUSEHOLD,
        unit="households",
        before=before,
        dropped={"other_household": before - after},
    )
    return held.drop("households"), passage
