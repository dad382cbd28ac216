"""One verb, `expand`: stays become a row per person and month."""

from __future__ import annotations

import ibis
from ibis import _

from whatworks.errors import OptionError
from whatworks.ledger import Ledger
from whatworks.months import to_index
from whatworks.panel.layout import column_types, lay_out
from whatworks.panel.parts import NUMBER, Columns, Parts, columns_of, known_zone, parts_of
from whatworks.panel.record import Panel
from whatworks.panel.schemas import check_panel
from whatworks.sources.engine import hold_table
from whatworks.spells.record import Spells
from whatworks.vocabulary import FIRST, LAST, MARKET, MEASURE, MONTH, PERSON


def expand(spells: Spells, *, first: str, last: str) -> Panel:
    """Lay spells out by person and month.

    Parameters
    ----------
    spells : Spells
        Reconciled stays.
    first, last : str
        Window, ``YYYY-MM``, both included.

    Returns
    -------
    Panel
        ``n_persons × n_months`` rows, held by the engine.

    Raises
    ------
    OptionError
        When the window ends before it starts.

    Notes
    -----
    A state holds in a month when a spell covers at least one of its days. A month in which no
    source of a kind sees the person is null for that kind, not zero. Where several sources give one
    measure for one month, the largest value stands.

    See Also
    --------
    whatworks.build : The same panel as files, block by block, for more persons than one engine holds.
    """
    begin, stop = window_of(first, last)
    records = spells.records
    con = records.connection
    order = ibis.window(order_by=PERSON)
    numbered = records.persons.mutate(**{NUMBER: ibis.row_number().over(order).cast("int64")})
    people = hold_table(con, "numbered", numbered)
    columns = columns_of(spells)
    parts = parts_of(spells, people.select(PERSON, NUMBER), columns).each(
        lambda name, table: (
            table if name in ("persons", "measures") else hold_table(con, name, table)
        )
    )
    persons, attributes = persons_of(spells, people, parts, columns)
    return check_panel(
        Panel(
            connection=con,
            table=hold_table(con, "panel", lay_out(parts, columns, begin=begin, stop=stop)),
            persons=hold_table(con, "persons", persons),
            states=records.codes,
            attributes=attributes,
            first=begin,
            last=stop,
            n_persons=int(people.count().execute()),
            coverage=records.coverage,
            operator_declared=records.operator_declared,
            mapping_hash=records.mapping_hash,
            ledger=account(spells, parts, begin=begin, stop=stop),
            schemes=columns.schemes,
            intensities=columns.intensities,
            measures=columns.measures,
            units=records.units,
            geography=records.geography,
            linked=records.linked,
            files=records.files,
            fields=records.fields,
        ),
        column_types(columns, places=parts.places is not None),
    )


def window_of(first: str, last: str) -> tuple[int, int]:
    """Months of a window, once it ends no earlier than it starts."""
    begin, stop = to_index(first, what="first"), to_index(last, what="last")
    if stop < begin:
        raise OptionError(
            what="the panel's window",
            needed="a last month not before the first",
            found=f"{first} to {last}",
            remedy="exchange the two or correct one of them",
        )
    return begin, stop


def persons_of(
    spells: Spells, people: ibis.Table, parts: Parts, columns: Columns
) -> tuple[ibis.Table, dict[str, str]]:
    """Persons by number with their attributes, and the types of these.

    Parameters
    ----------
    people : ibis.Table
        Persons of the records with their `NUMBER`.
    """
    attributes = dict(spells.records.attributes)
    persons = people.select(**{PERSON: people[NUMBER], **{a: people[a] for a in attributes}})
    if MARKET in attributes or parts.places is None or columns.geography is None:
        return persons, attributes
    zones = known_zone(parts.places, columns.geography)
    joined = persons.left_join(zones, persons[PERSON] == zones[PERSON])
    return joined.select(persons, zones[MARKET]), {**attributes, MARKET: "category"}


def account(spells: Spells, parts: Parts, *, begin: int, stop: int) -> Ledger:
    """Ledger of the spells outside the window, and of measures told twice."""
    inside = (_[FIRST] <= stop) & (_[LAST] >= begin)
    counts = parts.stays.aggregate(n=_.count(), inside=inside.sum()).execute()
    n, within = (int(counts[c].fillna(0).iloc[0]) for c in ("n", "inside"))
    ledger = spells.ledger.add(
        "panel", "window", unit="spells", before=n, dropped={"outside_window": n - within}
    )
    told = spells.records.measures
    if told is None:
        return ledger
    before = int(told.count().execute())
    once = int(told.select(PERSON, MEASURE, MONTH).distinct().count().execute())
    return ledger.add(
        "panel", "measures", unit="rows", before=before, dropped={"told_twice": before - once}
    )
