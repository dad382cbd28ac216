"""Persons that no source with attributes knows, once persons of several spaces are linked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import ibis
from ibis import _

from whatworks.errors import UsageError
from whatworks.ledger import Ledger
from whatworks.sources.joining import MOST_STRANGERS
from whatworks.sources.problems import Problem, counted, refuse_if
from whatworks.sources.records import Acquaintance, Records
from whatworks.sources.scratch import Scratch
from whatworks.vocabulary import PERSON, SOURCE

_SPACE: Final = "space"
_TABLES: Final = ("episodes", "states", "measures", "places", "blind")
_JUDGED: Final = ("episodes", "states", "measures", "places")
_WHAT: Final = "linked persons"


def strangers_after(records: Records) -> ibis.Table:
    """Persons of linked records whom no source with attributes knows.

    While persons are identified in several spaces nobody can say of a row that its person is
    unknown elsewhere; after linkage this can be said.

    Parameters
    ----------
    records : Records
        Linked: ``linked.links`` holds the spaces of each person.

    Returns
    -------
    ibis.Table
        ``person_id``, once each. Empty where no source gives attributes.
    """
    known, links = _known(records)
    return links.select(PERSON).distinct().anti_join(known, PERSON)


def without_strangers(records: Records, *, room: str, scratch: Scratch) -> Records:
    """Records without the persons whom no source with attributes knows.

    Parameters
    ----------
    records : Records
        Linked.
    room : str
        Of the ledger's steps.
    scratch : Scratch
        Its new tables are handed over; those of ``records`` are left.

    Returns
    -------
    Records
        With one step in the ledger per source and table that tells of such persons, and one for
        persons.

    Raises
    ------
    ProblemsError
        When more than 5 % of the rows of a source are about such persons, and its mapping does not
        say ``strangers = 'count'``: linkage failed, or the source is about others.
    """
    others = scratch.keep("strangers", strangers_after(records), what=_WHAT)
    n_others = int(others.count().execute())
    if not n_others:
        scratch.drop(others)
        return records
    counts = [c for name in _JUDGED for c in _counts(records, name, others)]
    refuse_if(list(_failures(records, counts)))
    tables = {
        name: scratch.keep(name, table.anti_join(others, PERSON), what=_WHAT)
        for name in ("persons", *_TABLES)
        if (table := getattr(records, name)) is not None
    }
    n_persons = int(records.persons.count().execute())
    n_left = n_persons - int(tables["persons"].count().execute())
    ledger = Ledger()
    for source, name, told, left in counts:
        step = f"{source}.{name}"
        ledger = ledger.add(room, step, unit=name, before=told, dropped={"person_unknown": left})
    ledger = ledger.add(
        room, "persons", unit="persons", before=n_persons, dropped={"person_unknown": n_left}
    )
    scratch.drop(others)
    scratch.hand_over(*tables.values())
    return replace(records, ledger=records.ledger + ledger, **tables)


_Count = tuple[str, str, int, int]
"""Source, table, rows, and those of them about strangers."""


def _known(records: Records) -> tuple[ibis.Table, ibis.Table]:
    """Persons with a place in a space that decides who is in, and the spaces of everyone."""
    if records.linked is None or records.acquaintance is None:
        raise UsageError(
            what="records",
            needed="records read from a mapping, their persons linked",
            found="records that are not linked",
            remedy="call whatworks.link first",
        )
    links, givers = records.linked.links, records.acquaintance.givers
    return (links.filter(_[_SPACE].isin(list(givers))) if givers else links), links


def _counts(records: Records, name: str, others: ibis.Table) -> Iterator[_Count]:
    """Rows of each source in a table, and those of them about strangers."""
    table: ibis.Table | None = getattr(records, name)
    if table is None:
        return
    theirs = others.mutate(stranger=1)
    marked = table.left_join(theirs, PERSON)
    found = marked.group_by(SOURCE).aggregate(told=_.count(), left=_.stranger.count())
    for row in found.order_by(SOURCE).execute().itertuples():
        yield str(row.source), name, int(row.told), int(row.left)


def _failures(records: Records, counts: list[_Count]) -> Iterator[Problem]:
    circle: Acquaintance | None = records.acquaintance
    lenient = frozenset[str]() if circle is None else circle.lenient
    for source, name, told, left in counts:
        if left == told or (left > MOST_STRANGERS * told and source not in lenient):
            yield _failure(source, name, told=told, left=left, spaces=circle)


def _failure(
    source: str, name: str, *, told: int, left: int, spaces: Acquaintance | None
) -> Problem:
    known = "" if spaces is None else ", ".join(repr(g or "(none)") for g in sorted(spaces.givers))
    return Problem(
        what=f"source {source!r} ({name})",
        needed=f"persons linked to one of the spaces {known}, but for at most {MOST_STRANGERS:.0%}"
        " of rows",
        found=f"{left:,} of {counted(told, 'row')} about persons that are not",
        remedy="look at the rates of linkage: map more fields of 'identity', check how identifiers"
        " are written, or write strangers = 'count' if the source truly holds other persons",
    )
