"""Who shares an identifier: pairs that the NIR, or another key, makes one person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import ibis
from ibis import _

from whatworks.errors import OptionError, suggestion
from whatworks.sources.scratch import Scratch
from whatworks.spells.linking import people
from whatworks.spells.linking.names import list_has_any
from whatworks.spells.linking.people import NODE, SPACE, WHAT

LEFT: Final = "left_node"
RIGHT: Final = "right_node"
STAGE: Final = "stage"
METHOD: Final = "method"
PROBABILITY: Final = "probability"
DOUBT: Final = "doubt"
"""Estimated probability that a link joins two persons."""
BY_NIR: Final = "nir"
_VALUE: Final = "key_value"
_NO: Final = ibis.literal(False)  # noqa: FBT003 - a column constant, not a flag
_YES: Final = ibis.literal(True)  # noqa: FBT003 - idem
_FIELDS: Final = {
    "nir": people.NIR,
    "birth_name": people.BIRTH_NAME,
    "usage_name": people.USAGE_NAME,
    "first_names": people.GIVEN,
    "birth_date": people.BIRTH,
    "sex": people.SEX,
    "birth_commune": people.BIRTHPLACE,
    "commune": people.COMMUNE,
    "postcode": people.POSTCODE,
    "email": people.EMAIL,
    "phone": people.PHONE,
}
"""Fields of an identity that a key may be made of, and the column that is compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPairs:
    """Pairs made by one key.

    Parameters
    ----------
    name : str
        ``nir`` or ``key:...``.
    edges : ibis.Table
        ``left_node, right_node, stage, method, probability, doubt``.
    holders : int
        Persons of a space who have the key.
    shared : int
        Of those, persons who share it with another of their space: it links none of them.
    """

    name: str
    edges: ibis.Table
    holders: int
    shared: int


def names_of(keys: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """What each key is called in links and ledger: ``key:caf+birth_date``."""
    return tuple("key:" + "+".join(key) for key in keys)


def check_keys(keys: Sequence[Sequence[str]], known: ibis.Table) -> None:
    """Refuse a key made of something nobody says.

    Raises
    ------
    OptionError
        Names the part and the nearest that exists.
    """
    spaces = _spaces(known)
    allowed = (*spaces, *_FIELDS)
    for key in keys:
        for part in key:
            if part not in allowed:
                raise OptionError(
                    what="[link] keys",
                    needed=f"spaces ({', '.join(spaces)}) or fields of identity "
                    f"({', '.join(_FIELDS)})",
                    found=repr(part),
                    remedy=suggestion(part, allowed) or "choose among those",
                )
        if not key:
            raise OptionError(
                what="[link] keys",
                needed="at least one part in each key",
                found="an empty key",
                remedy="remove it",
            )


def pairs(
    table: ibis.Table, parts: Sequence[str], *, name: str, stage: int, scratch: Scratch
) -> KeyPairs:
    """Persons of different spaces with the same key.

    Parameters
    ----------
    table : ibis.Table
        As `people.gather` gives it.
    parts : sequence of str
        Spaces or fields, all of which must be known and equal.
    name : str
    stage : int
        Rank of the key: those of a lower stage link first.
    scratch : Scratch

    Notes
    -----
    A key that two persons of one space share does not tell persons apart: it links nobody, in any
    space. A link is in doubt when first names have nothing in common, nor something else that both
    files tell: name, birth or sex.
    """
    values = [_part(table, part) for part in parts]
    told = table.mutate(**{_VALUE: _together(values)}).filter(_[_VALUE].notnull())
    held = scratch.keep("key", told, what=WHAT)
    often = held.group_by([_VALUE, SPACE]).having(_.count() > 1).aggregate(n=_.count())
    shared = held.semi_join(often, _VALUE)
    unique = held.anti_join(often, _VALUE)
    edges = scratch.keep("edges", _edges(unique, name=name, stage=stage), what=WHAT)
    made = KeyPairs(
        name=name,
        edges=edges,
        holders=int(held.count().execute()),
        shared=int(shared.count().execute()),
    )
    scratch.drop(held)
    return made


def _spaces(known: ibis.Table) -> tuple[str, ...]:
    own = known.filter(_[SPACE] != "").select(SPACE).distinct()[SPACE].execute()
    keys = [c.removeprefix(people.KEY) for c in known.columns if c.startswith(people.KEY)]
    return tuple(sorted({*own, *keys}))


def _part(table: ibis.Table, part: str) -> ibis.Value:
    if part in _FIELDS:
        return table[_FIELDS[part]].cast("string")
    own = (table[SPACE] == part).ifelse(table[people.OWN], ibis.null(str))
    column = f"{people.KEY}{part}"
    return ibis.coalesce(own, table[column]) if column in table.columns else own


def _together(values: Sequence[ibis.Value]) -> ibis.Value:
    """One text of several, null as soon as one is unknown."""
    whole = values[0]
    for value in values[1:]:
        whole = whole + ibis.literal("\x1f") + value
    return whole


def _edges(unique: ibis.Table, *, name: str, stage: int) -> ibis.Table:
    left, right = unique.view(), unique.view()
    same = left.join(
        right,
        [left[_VALUE] == right[_VALUE], left[NODE] < right[NODE], left[SPACE] != right[SPACE]],
    )
    doubt = _disagreement(left, right)
    drawn = same.select(**{LEFT: left[NODE], RIGHT: right[NODE], DOUBT: doubt})
    # One figure for all links of a key: a single pair says little, their disagreements say how the
    # key does.
    return drawn.mutate(
        **{
            STAGE: ibis.literal(stage, "int32"),
            METHOD: ibis.literal(name),
            PROBABILITY: 1 - drawn[DOUBT].mean().over(ibis.window()),
        }
    ).select(LEFT, RIGHT, STAGE, METHOD, PROBABILITY, DOUBT)


def _disagreement(left: ibis.Table, right: ibis.Table) -> ibis.Value:
    """1 where first names have nothing in common, nor name, birth or sex; 0 elsewhere."""
    family = _shared(left, right, people.FAMILIES) | _shared(
        left, right, people.FAMILY_PARTS
    ).fill_null(_NO)
    swapped = left[people.FAMILIES].contains(right[people.GIVEN]) & right[people.FAMILIES].contains(
        left[people.GIVEN]
    )
    near = left[people.GIVEN].levenshtein(right[people.GIVEN]) <= 2
    given = _shared(left, right, people.GIVEN_FORMS) | near | swapped.fill_null(_NO)
    birth = (left[people.BIRTH] == right[people.BIRTH]) | (
        (left[people.YEAR] == right[people.YEAR]) & _near(left, right)
    )
    sex = left[people.SEX] == right[people.SEX]
    others = [(~agree).fill_null(_NO) for agree in (family, birth, sex)]
    differs = (~given).fill_null(_YES) & (others[0] | others[1] | others[2])
    return differs.cast("float64")


def _near(left: ibis.Table, right: ibis.Table) -> ibis.Value:
    """Dates of one year that may be one: a default, or day and month swapped."""
    a, b = left[people.BIRTH], right[people.BIRTH]
    default = (left[people.DEFAULT_DAY] == 1) | (right[people.DEFAULT_DAY] == 1)
    return default | ((a.day() == b.month()) & (a.month() == b.day()))


def _shared(left: ibis.Table, right: ibis.Table, column: str) -> ibis.Value:
    return list_has_any(left[column], right[column])
