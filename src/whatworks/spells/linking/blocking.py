"""Who is worth comparing: pairs that have something rare in common.

Comparing everyone with everyone grows with the square of a population. A pair is compared when it shares
one of the blocks below; a block so common that it tells nobody apart is left aside and counted.
"""

from __future__ import annotations

from typing import Final

import ibis
from ibis import _

from whatworks.sources.scratch import Scratch
from whatworks.spells.linking import people
from whatworks.spells.linking.clusters import SPACES
from whatworks.spells.linking.keys import LEFT, RIGHT
from whatworks.spells.linking.people import NODE, SPACE, WHAT

LARGEST: Final = 400
"""Persons of a block beyond which it is not compared: at most 80,000 pairs."""
_BLOCK: Final = "block"


def candidates(
    table: ibis.Table, groups: ibis.Table, *, scratch: Scratch
) -> tuple[ibis.Table, int, int]:
    """Pairs of persons of different spaces to compare.

    Parameters
    ----------
    table : ibis.Table
        As `people.gather` gives it.
    groups : ibis.Table
        ``node, linked_node, spaces``: persons linked already. Two groups with a space in common cannot
        be one person.
    scratch : Scratch

    Returns
    -------
    pairs : ibis.Table
        ``left_node, right_node``, the left one having the smaller number; each pair once. Pairs of
        which both have a valid NIR, and not the same, are not among them.
    blocks : int
        Blocks with persons of several spaces.
    common : int
        Of those, blocks too common to be compared.
    """
    free = table.join(groups.select(NODE, SPACES), NODE)
    members = scratch.keep("blocks", _members(free), what=WHAT)
    sizes = members.group_by(_BLOCK).aggregate(n=_.count(), several=_[SPACE].nunique())
    several = scratch.keep("sizes", sizes.filter(_.several > 1), what=WHAT)
    counts = several.aggregate(n=_.count(), common=(_.n > LARGEST).sum().fill_null(0)).execute()
    kept = scratch.keep(
        "kept", members.semi_join(several.filter(_.n <= LARGEST), _BLOCK), what=WHAT
    )
    scratch.drop(members)
    scratch.drop(several)
    left, right = kept.view(), kept.view()
    met = left.join(
        right,
        [left[_BLOCK] == right[_BLOCK], left[NODE] < right[NODE]],
    ).filter(
        (left[SPACES] & right[SPACES]) == 0,
        (left[people.NIR] == right[people.NIR]).fill_null(True),  # noqa: FBT003 - where one is unknown
    )
    pairs = met.select(**{LEFT: left[NODE], RIGHT: right[NODE]}).distinct()
    made = scratch.keep("pairs", pairs, what=WHAT)
    scratch.drop(kept)
    return made, int(counts["n"].iloc[0]), int(counts["common"].iloc[0])


def _members(table: ibis.Table) -> ibis.Table:
    """``block, node, space, spaces, nir``: each person in each of its blocks, once."""
    name = table.select(
        NODE, name=ibis.coalesce(table[people.FAMILIES], ibis.literal([], "array<string>"))
    ).mutate(name=_.name.unnest())
    named = table.join(name, NODE)
    day, named_day = (
        (t[people.DEFAULT_DAY] == 0).ifelse(t[people.BIRTH_TEXT], ibis.null(str))
        for t in (table, named)
    )
    given, year = named[people.GIVEN], named[people.YEAR].cast("string")
    # In alphabetical order, so that an exchange of name and first name changes nothing.
    pair = ibis.least(named.name, given) + " " + ibis.greatest(named.name, given)
    blocks = [
        _block(table, "day and first name", day, table[people.GIVEN]),
        _block(table, "day and place", day, table[people.COMMUNE]),
        _block(table, "day and birthplace", day, table[people.BIRTHPLACE]),
        _block(table, "email", table[people.EMAIL]),
        _block(table, "phone", table[people.PHONE]),
        _block(named, "day and name", named_day, named.name),
        _block(named, "names and year", pair, year),
        _block(named, "names and place", pair, named[people.COMMUNE]),
        _block(named, "names and birthplace", pair, named[people.BIRTHPLACE]),
        _block(named, "name, initial and year", named.name, given.substr(0, 1), year),
        _block(named, "first name, beginning and year", given, named.name.substr(0, 2), year),
    ]
    return ibis.union(*blocks).distinct()


def _block(table: ibis.Table, rule: str, *parts: ibis.Value) -> ibis.Table:
    """Persons under one rule; nobody under it when a part is unknown."""
    text: ibis.Value = ibis.literal(rule)
    for part in parts:
        text = text + ibis.literal("\x1f") + part
    return table.filter(text.notnull()).select(
        NODE, SPACE, SPACES, people.NIR, **{_BLOCK: text.hash()}
    )
