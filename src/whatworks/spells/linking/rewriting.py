"""The records, person by person: every table names linked persons, and what told who they are is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import ibis
from ibis import _

from whatworks.sources.records import Records
from whatworks.sources.scratch import Scratch
from whatworks.spells.linking.people import NODE, WHAT
from whatworks.vocabulary import CODE, KIND, PERSON, SOURCE, Kind

LINKED: Final = "linked_id"
IN_STUDY: Final = "in_study"
"""Whether a source that says who is in the study knows the person."""
_EVENTS: Final = ("episodes", "states", "measures", "blind", "places")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """Records about linked persons, and what became of what was told.

    Parameters
    ----------
    records : Records
        Without identities; persons of the study only.
    accompanied : ibis.Table
        ``person_id, code``: accompaniments of every linked person, of the study or not.
    rows : mapping of source to (int, int)
        Rows of each source, and those about persons of the study.
    values : mapping of str to int
        ``said``, characteristics told of persons of spaces; ``kept``; ``repeated``, told again the
        same; ``disagree``, told otherwise.
    """

    records: Records
    accompanied: ibis.Table
    rows: Mapping[str, tuple[int, int]]
    values: Mapping[str, int]


def rewrite(records: Records, names: ibis.Table, *, scratch: Scratch) -> Rewritten:
    """Call everyone by the name of the linked person.

    Parameters
    ----------
    records : Records
        Left as they are.
    names : ibis.Table
        ``person_id, node, linked_id, in_study``: each person of a space once.
    scratch : Scratch

    Notes
    -----
    Where several spaces tell a characteristic of one person, the first space in alphabetical order
    that knows it counts.
    """
    inside = names.filter(_[IN_STUDY])
    told = {n: getattr(records, n) for n in _EVENTS if getattr(records, n) is not None}
    tables = {
        name: scratch.keep(name, _renamed(table, inside), what=WHAT) for name, table in told.items()
    }
    rows = _rows(told, tables)
    attributes = [c for c in records.persons.columns if c != PERSON]
    known = records.persons.join(inside, PERSON)
    values = _values(known, attributes)
    tables["persons"] = scratch.keep("persons", _merged(known, attributes), what=WHAT)
    accompanied = scratch.keep("accompanied", _accompanied(records, names), what=WHAT)
    scratch.hand_over(*tables.values())
    return Rewritten(
        records=replace(records, identities=None, **tables),
        accompanied=accompanied,
        rows=rows,
        values=values,
    )


def _renamed(table: ibis.Table, names: ibis.Table) -> ibis.Table:
    joined = table.join(names, PERSON)
    return joined.select(**{c: joined[LINKED] if c == PERSON else joined[c] for c in table.columns})


def _accompanied(records: Records, names: ibis.Table) -> ibis.Table:
    ever = [
        _renamed(table.filter(_[KIND] == Kind.ACCOMPANIMENT.value), names).select(PERSON, CODE)
        for table in (records.episodes, records.states)
    ]
    return ibis.union(*ever, distinct=True)


def _rows(
    before: Mapping[str, ibis.Table], after: Mapping[str, ibis.Table]
) -> dict[str, tuple[int, int]]:
    """Rows of each source before and after, all tables together."""
    counts: list[dict[str, int]] = []
    for tables in (before, after):
        total: dict[str, int] = {}
        for name in before:
            said = tables[name].group_by(SOURCE).aggregate(n=_.count()).order_by(SOURCE).execute()
            for source, n in zip(said[SOURCE], said["n"], strict=True):
                total[str(source)] = total.get(str(source), 0) + int(n)
        counts.append(total)
    return {source: (n, counts[1].get(source, 0)) for source, n in counts[0].items()}


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
    words = ("said", "kept", "disagree")
    sums = counts.aggregate(
        **{f"{w}_{c}": _[f"{w}_{c}"].sum().fill_null(0) for w in words for c in attributes}
    ).execute()
    total = {w: sum(int(sums[f"{w}_{c}"].iloc[0]) for c in attributes) for w in words}
    return {**total, "repeated": total["said"] - total["kept"] - total["disagree"]}
