"""What all sources say is brought together: persons, events, what stands beside them, the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import ibis
from ibis import _

from whatworks.ledger import Ledger
from whatworks.sources.joining import Circle
from whatworks.sources.layout import REASON
from whatworks.sources.passages import Passage
from whatworks.sources.reading import Reading
from whatworks.sources.rows.attributes import ATTRIBUTE
from whatworks.sources.rows.households import one_household_each
from whatworks.sources.rows.identities import one_identity_each
from whatworks.sources.schemas import Product
from whatworks.sources.scratch import Scratch
from whatworks.vocabulary import HOUSEHOLD, PERSON, SOURCE

_WHAT: Final = "all sources together"


@dataclass(frozen=True, slots=True, kw_only=True)
class Everyone:
    """Persons of all sources.

    Parameters
    ----------
    persons : ibis.Table
        ``person_id`` and every attribute, ``household`` among them where a source tells it: one row
        per person, null where no source says.
    identities : ibis.Table or None
        Who they are, where a source tells it.
    objected : int
        Persons left behind because they object.
    passages : tuple of Passage
        What became of identities, households and persons.
    """

    persons: ibis.Table
    identities: ibis.Table | None
    objected: int
    passages: tuple[Passage, ...]


def gather_persons(
    readings: Sequence[Reading], circles: Sequence[Circle], *, scratch: Scratch
) -> Everyone:
    """Bring the persons of all sources together.

    Parameters
    ----------
    readings : sequence of Reading
    circles : sequence of Circle
        Sources that should speak of the same persons.
    scratch : Scratch
    """
    seen = _union([reading.persons.select(PERSON) for reading in readings])
    persons = _union([circle.persons() for circle in circles])
    for reading in readings:
        plain = {name: f"{ATTRIBUTE}{name}" for name in reading.source.attributes}
        if plain:
            persons = _beside(persons, reading.persons.rename(plain), tuple(plain))
    passages: list[Passage] = []
    if lived := [r.households for r in readings if r.households is not None]:
        households, passage = one_household_each(lived, scratch=scratch)
        persons = _beside(persons, households, (HOUSEHOLD,))
        passages.append(passage)
    held = scratch.keep("persons", persons, what=_WHAT)
    identities = None
    if said := [(r.space, r.identities) for r in readings if r.identities is not None]:
        identities, passage = one_identity_each(said, scratch=scratch)
        passages.append(passage)
    strangers = int(seen.anti_join(held, PERSON).count().execute())
    objected = [r.objected for r in readings if r.objected is not None]
    n_objected = int(_union(objected).count().execute()) if objected else 0
    everyone = Passage(
        name="persons",
        unit="persons",
        before=int(held.count().execute()) + strangers + n_objected,
        dropped={"objected": n_objected, "person_unknown": strangers},
    )
    return Everyone(
        persons=held,
        identities=identities,
        objected=n_objected,
        passages=(*passages, everyone),
    )


def gather_events(
    readings: Sequence[Reading], persons: ibis.Table, product: Product, *, scratch: Scratch
) -> tuple[ibis.Table, dict[str, int]]:
    """Bring the events of one shape together.

    Parameters
    ----------
    readings : sequence of Reading
        Those whose events have the columns of the product beside the source.
    persons : ibis.Table
        Whose events are kept.
    product : Product
    scratch : Scratch

    Returns
    -------
    events : ibis.Table
    counts : dict
        Events per source.
    """
    said = [
        (reading.name, reading.events.filter(reading.events[REASON].isnull()))
        for reading in readings
        if reading.events is not None and reading.states
    ]
    events = _gathered(said, persons, product, scratch=scratch)
    counts = events.group_by(SOURCE).aggregate(n=_.count()).execute()
    return events, {str(row.source): int(row.n) for row in counts.itertuples()}


def count_others(readings: Sequence[Reading], persons: ibis.Table) -> dict[str, int]:
    """Count, for sources that tell of no state, the rows kept: those of persons of the study."""
    return {
        reading.name: int(
            reading.events.filter(reading.events[REASON].isnull())
            .semi_join(persons, PERSON)
            .count()
            .execute()
        )
        for reading in readings
        if reading.events is not None and not reading.states
    }


def gather_beside(
    said: Sequence[tuple[str, ibis.Table | None]],
    persons: ibis.Table,
    product: Product,
    *,
    scratch: Scratch,
) -> tuple[ibis.Table | None, tuple[Passage, ...]]:
    """Bring together what sources say beside states: measures, places, months they are blind.

    Parameters
    ----------
    said : sequence of (str, ibis.Table or None)
        Each source and its table, of the columns of the product without the source.
    persons : ibis.Table
        Whose rows are kept.
    product : Product
    scratch : Scratch

    Returns
    -------
    table : ibis.Table or None
        None where no source says anything of the kind.
    passages : tuple of Passage
        One per source: its rows, those of persons who are not in the study left behind.
    """
    told = [(name, table) for name, table in said if table is not None]
    if not told:
        return None, ()
    table = _gathered(told, persons, product, scratch=scratch)
    counts = table.group_by(SOURCE).aggregate(n=_.count()).execute()
    kept = {str(row.source): int(row.n) for row in counts.itertuples()}
    passages = []
    for name, own in told:
        before = int(own.count().execute())
        dropped = {"person_unknown": before - kept.get(name, 0)}
        step = f"{name}.{product.name}"
        passages.append(Passage(name=step, unit=product.name, before=before, dropped=dropped))
    return table, tuple(passages)


def reading_ledger(readings: Sequence[Reading], counts: Mapping[str, int]) -> Ledger:
    """Account for every row of every file, every cell of wide files, every row of a member.

    Parameters
    ----------
    readings : sequence of Reading
    counts : mapping of source to events kept
    """
    ledger = Ledger()
    for reading in readings:
        *steps, last = reading.passages
        if reading.said is not None and reading.source.layout != "persons":
            last = last.less({"person_unknown": last.after - counts.get(reading.name, 0)})
        for passage in (*steps, last):
            ledger = passage.written(ledger)
    return ledger


def _gathered(
    said: Sequence[tuple[str, ibis.Table]],
    persons: ibis.Table,
    product: Product,
    *,
    scratch: Scratch,
) -> ibis.Table:
    if not said:
        return scratch.empty(product.name, ibis.schema(product.types))
    alike = [
        table.mutate(**{SOURCE: ibis.literal(name), **_unsaid(table, product)}).select(
            *product.types
        )
        for name, table in said
    ]
    together = ibis.union(*alike) if len(alike) > 1 else alike[0]
    return scratch.keep(product.name, together.semi_join(persons, PERSON), what=_WHAT)


def _union(tables: Sequence[ibis.Table]) -> ibis.Table:
    return (ibis.union(*tables) if len(tables) > 1 else tables[0]).distinct()


def _beside(persons: ibis.Table, given: ibis.Table, columns: Sequence[str]) -> ibis.Table:
    """Persons with what a table of one row per person says of them."""
    joined = persons.left_join(given, persons[PERSON] == given[PERSON])
    return joined.select(persons, *(given[name] for name in columns))


def _unsaid(table: ibis.Table, product: Product) -> dict[str, ibis.Value]:
    """Columns that a source has nothing to put in."""
    own = {*table.columns, SOURCE}
    return {name: ibis.null(kind) for name, kind in product.types.items() if name not in own}
