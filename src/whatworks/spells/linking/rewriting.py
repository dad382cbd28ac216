"""The records, person by person: every table names linked persons, and what told who they are is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import ibis
from ibis import _

from whatworks.sources.records import Records
from whatworks.sources.scratch import Scratch
from whatworks.spells.linking.people import NODE, WHAT
from whatworks.vocabulary import PERSON

LINKED: Final = "linked_id"
_EVENTS: Final = ("episodes", "states", "measures", "blind", "places")


def rewrite(
    records: Records, names: ibis.Table, *, scratch: Scratch
) -> tuple[Records, dict[str, int]]:
    """Records about linked persons.

    Parameters
    ----------
    records : Records
        Left as they are.
    names : ibis.Table
        ``person_id, node, linked_id``: each person of a space once.
    scratch : Scratch

    Returns
    -------
    records : Records
        Without identities.
    values : dict
        ``said``, characteristics told of persons of spaces; ``kept``; ``repeated``, told again the
        same; ``disagree``, told otherwise.

    Notes
    -----
    Where several spaces tell a characteristic of one person, the first space in alphabetical order
    that knows it counts.
    """
    tables: dict[str, ibis.Table] = {}
    for name in _EVENTS:
        table: ibis.Table | None = getattr(records, name)
        if table is not None:
            tables[name] = scratch.keep(name, _renamed(table, names), what=WHAT)
    attributes = [c for c in records.persons.columns if c != PERSON]
    known = records.persons.join(names, PERSON)
    values = _values(known, attributes)
    tables["persons"] = scratch.keep("persons", _merged(known, attributes), what=WHAT)
    made = replace(records, identities=None, **tables)
    scratch.hand_over(*tables.values())
    return made, values


def _renamed(table: ibis.Table, names: ibis.Table) -> ibis.Table:
    joined = table.join(names, PERSON)
    return joined.select(**{c: joined[LINKED] if c == PERSON else joined[c] for c in table.columns})


def _merged(known: ibis.Table, attributes: list[str]) -> ibis.Table:
    first: Mapping[str, ibis.Value] = {
        c: known[c].argmin(known[NODE], where=known[c].notnull()) for c in attributes
    }
    merged = known.group_by(LINKED).aggregate(**first)
    return merged.select(**{PERSON: merged[LINKED]}, **{c: merged[c] for c in attributes})


def _values(known: ibis.Table, attributes: list[str]) -> dict[str, int]:
    """How many characteristics are told, and how they agree."""
    if not attributes:
        return {"said": 0, "kept": 0, "repeated": 0, "disagree": 0}
    counts = known.group_by(LINKED).aggregate(
        **{f"said_{c}": known[c].count() for c in attributes},
        **{f"kept_{c}": (known[c].count() > 0).cast("int64") for c in attributes},
        **{
            f"disagree_{c}": (known[c].nunique() > 1).ifelse(known[c].count() - 1, 0)
            for c in attributes
        },
    )
    sums = counts.aggregate(
        **{
            word: sum((_[f"{word}_{c}"].sum() for c in attributes), ibis.literal(0))
            for word in ("said", "kept", "disagree")
        }
    ).execute()
    said, kept, disagree = (int(sums[w].fillna(0).iloc[0]) for w in ("said", "kept", "disagree"))
    return {"said": said, "kept": kept, "repeated": said - kept - disagree, "disagree": disagree}
