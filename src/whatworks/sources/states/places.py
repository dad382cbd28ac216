"""Where persons live: the commune of a row, over the months the row speaks of."""

from __future__ import annotations

from typing import Final

import ibis
from ibis import _

from whatworks.months import to_index
from whatworks.sources import values
from whatworks.sources.layout import Flag, required
from whatworks.sources.mapping import Source
from whatworks.vocabulary import COMMUNE, FIRST, LAST, PERSON

BEGINNING: Final = to_index(f"{values.FIRST_YEAR}-01")
"""First month of a place that a file of persons gives, as it gives no date with it."""
_RAW_PLACE: Final = "raw_place"


def place_column(source: Source) -> dict[str, str]:
    """Column of the commune, where the source gives one."""
    return {} if source.place is None else {_RAW_PLACE: source.place.column}


def places(
    sound: ibis.Table, source: Source, *, first: ibis.Value, last: ibis.Value
) -> ibis.Table | None:
    """Rows ``person_id, commune, first, last``, each once; a blank commune says nothing.

    Parameters
    ----------
    sound : ibis.Table
        Rows that count.
    source : Source
    first, last : ibis int32 columns
        Months of each row, both included; ``last`` is null when open.
    """
    if source.place is None:
        return None
    rows = sound.select(PERSON, **{COMMUNE: commune(sound, source), FIRST: first, LAST: last})
    return rows.filter(_[COMMUNE].notnull()).distinct()


def commune(table: ibis.Table, source: Source) -> ibis.Value:
    """Code of the commune of a row with the zeros its producer lost, null when blank."""
    mapped, text = required(source.place), table[_RAW_PLACE]
    return values.padded(text.strip() if mapped.strip == "spaces" else text, mapped.width)


def two_places(table: ibis.Table, source: Source) -> Flag:
    """Flag of persons for whom a file without dates gives two communes."""
    here = commune(table, source)
    person = ibis.window(group_by=[PERSON])
    return Flag(
        reason="two_places",
        up=here.notnull() & (here.min().over(person) < here.max().over(person)),
        columns=(required(source.place).column,),
        needed="one commune for each person, as nothing tells when another began",
        remedy="ask which row holds, choose it by 'keep', or map the commune from a source with"
        " dates",
    )
