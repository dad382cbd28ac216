"""Who persons are, as the files say it: read for the linkage of persons, and for nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import ibis
import ibis.expr.datatypes as dt
from ibis import _

from whatworks.sources import values
from whatworks.sources.formats.table import FILE
from whatworks.sources.mapping import Identity, Source
from whatworks.sources.mapping.people import IDENTITY_TEXTS
from whatworks.sources.passages import Passage
from whatworks.sources.problems import Problem, counted, refuse_if
from whatworks.sources.rows.identifiers import named
from whatworks.sources.scratch import Scratch
from whatworks.sources.settling import Place
from whatworks.vocabulary import PERSON

SPACE: Final = "space"
FIRST_NAMES: Final = "first_names"
BIRTH_DATE: Final = "birth_date"
SEX: Final = "sex"
KEY: Final = "key_"
"""Prefix of identifiers of other systems, followed by the name of their space."""
PLAIN: Final = (*IDENTITY_TEXTS, FIRST_NAMES, SEX)
"""Fields of text that every table of identities has."""
_RAW: Final = "raw_identity_"
_SAID: Final = "identity_"
_UNREAD: Final = "unread_identity_"
_REASONS: Final = {BIRTH_DATE: "unreadable_birth_date", SEX: "unmapped_sex"}
_RANK: Final = "rank"
_CELL: Final = "cell"


def identity_columns(source: Source) -> dict[str, str]:
    """Columns that say who a person is."""
    read = {} if source.identity is None else source.identity.columns
    return {own: column for field, cs in read.items() for own, column in _named(field, cs).items()}


def said_columns(source: Source) -> tuple[str, ...]:
    """Columns that `with_identity` adds."""
    fields = () if source.identity is None else tuple(source.identity.columns)
    return (*(f"{_SAID}{f}" for f in fields), *(f"{_UNREAD}{f}" for f in _REASONS if f in fields))


def with_identity(rows: ibis.Table, source: Source) -> ibis.Table:
    """Rows with who their person is: each field null when it is blank or cannot be read."""
    if source.identity is None:
        return rows
    identity = source.identity
    raw = {f: [rows[own] for own in _named(f, cs)] for f, cs in identity.columns.items()}
    said = {f"{_SAID}{f}": _text(texts) for f, texts in raw.items()}
    if identity.birth_date is not None:
        written = values.first_of(raw[BIRTH_DATE])
        day = values.date(written, identity.birth_date.format)
        said[f"{_SAID}{BIRTH_DATE}"] = day
        said[f"{_UNREAD}{BIRTH_DATE}"] = day.isnull() & ~values.is_blank(written)
    if identity.sex is not None:
        (written,) = raw[SEX]
        sex = values.translated(written, identity.sex.values)
        said[f"{_SAID}{SEX}"] = sex.nullif("")
        said[f"{_UNREAD}{SEX}"] = sex.isnull() & ~values.is_blank(written)
    return rows.mutate(**said)


def unread(rows: ibis.Table, source: Source, *, place: Place) -> tuple[Passage, ...]:
    """Count the birth dates and sexes that were taken for unknown.

    Parameters
    ----------
    rows : ibis.Table
        As `with_identity` gives them.
    source : Source
    place : Place

    Returns
    -------
    tuple of Passage

    Raises
    ------
    ProblemsError
        When a field is written in some rows and can be read in none.
    """
    fields = [f for f in _REASONS if f"{_UNREAD}{f}" in rows.columns]
    if not fields or source.identity is None:
        return ()
    counts = rows.aggregate(
        rows=_.count(),
        **{f"read_{f}": _[f"{_SAID}{f}"].count() for f in fields},
        **{f"lost_{f}": _[f"{_UNREAD}{f}"].sum().fill_null(0) for f in fields},
    ).execute()
    count = {name: int(counts[name].iloc[0]) for name in counts.columns}
    refuse_if(
        [
            _unreadable(field, source.identity, place, lost=count[f"lost_{field}"])
            for field in fields
            if count[f"lost_{field}"] and not count[f"read_{field}"]
        ]
    )
    return tuple(
        Passage(
            name=f"{place.source}.{field}",
            unit="rows",
            before=count["rows"],
            dropped={_REASONS[field]: count[f"lost_{field}"]},
        )
        for field in fields
        if count[f"lost_{field}"]
    )


def said_identities(rows: ibis.Table, source: Source) -> ibis.Table | None:
    """``file, person_id`` and the fields of identities, each combination once."""
    if source.identity is None:
        return None
    plain = {field: rows[f"{_SAID}{field}"] for field in source.identity.columns}
    return rows.select(FILE, PERSON, **plain).distinct()


def one_identity_each(
    said: Sequence[tuple[str, ibis.Table]], *, scratch: Scratch
) -> tuple[ibis.Table, Passage]:
    """Bring identities together, one row per person.

    A person may be told of several times. Each field is then the latest that is known: that of the
    last source in the order of the mapping, of its last file in the order of names and, within one
    file, the greatest. A field that only an older row knows is kept.

    Parameters
    ----------
    said : sequence of (str, ibis.Table)
        Space and identities of each source that tells some, in the order of the mapping.
    scratch : Scratch

    Returns
    -------
    identities : ibis.Table
        ``space, person_id``, every field of text, ``birth_date`` and one column of text per other
        system. Null where nobody says.
    passage : Passage
        Rows that told of a person in another way, left behind.
    """
    keys = dict.fromkeys(c for _space, t in said for c in t.columns if c.startswith(KEY))
    types: dict[str, dt.DataType] = dict.fromkeys((*PLAIN, *keys), dt.string)
    types[BIRTH_DATE] = dt.date
    rows = scratch.keep(
        "identities",
        ibis.union(*alike) if len(alike := list(_alike(said, types))) > 1 else alike[0],
        what="identities",
    )
    latest = rows.group_by([SPACE, PERSON]).aggregate(
        **{
            field: rows[field].argmax(
                ibis.struct({_RANK: rows[_RANK], FILE: rows[FILE], _CELL: rows[field]}),
                where=rows[field].notnull(),
            )
            for field in types
        }
    )
    identities = scratch.keep("identities", latest, what="identities")
    different = rows.drop(_RANK, FILE).distinct()
    before, after = (int(t.count().execute()) for t in (different, identities))
    scratch.drop(rows)
    dropped = {"other_identity": before - after}
    return identities, Passage(name="identities", unit="identities", before=before, dropped=dropped)


def _alike(
    said: Sequence[tuple[str, ibis.Table]], types: dict[str, dt.DataType]
) -> list[ibis.Table]:
    """Tables of identities with the same columns, and the rank of their source."""
    return [
        table.select(
            FILE,
            PERSON,
            **{SPACE: ibis.literal(space), _RANK: ibis.literal(rank, "int32")},
            **{
                field: (table[field] if field in table.columns else ibis.null(kind)).cast(kind)
                for field, kind in types.items()
            },
        )
        for rank, (space, table) in enumerate(said)
    ]


def _named(field: str, columns: Sequence[str]) -> dict[str, str]:
    return named(f"{_RAW}{field}_", columns)


def _text(texts: Sequence[ibis.Value]) -> ibis.Value:
    """Fields that are not blank, without the spaces around them; null when all are."""
    parts = [text.strip().nullif("") for text in texts]
    if len(parts) == 1:
        return parts[0]
    return ibis.array(parts).filter(lambda part: part.notnull()).join(" ").nullif("")


def _unreadable(field: str, identity: Identity, place: Place, *, lost: int) -> Problem:
    if field == BIRTH_DATE and identity.birth_date is not None:
        needed = f"dates written {identity.birth_date.format}, or nothing"
        remedy = "correct identity.birth_date.format"
    else:
        needed = "values listed under identity.sex.values, or nothing"
        remedy = "list what the file writes under identity.sex.values"
    return Problem(
        what=place.say(list(range(len(place.files))), identity.columns[field]),
        needed=needed,
        found=f"{counted(lost, 'row')} otherwise, and none so written",
        remedy=remedy,
    )
