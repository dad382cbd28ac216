"""Who is who, then: pairs become persons, none of whom is two persons of one space.

Stages go in order (NIR, keys, probabilities). Within a stage the best pairs join first: every group names
the best of its pairs to a group it may join, and pairs named by both sides join; again until none is left.
"""

from __future__ import annotations

from typing import Final

import ibis
from ibis import _

from whatworks.errors import RefusedError
from whatworks.sources.scratch import Scratch
from whatworks.spells.linking.keys import LEFT, PROBABILITY, RIGHT, STAGE
from whatworks.spells.linking.people import NODE, SPACE, WHAT

PERSONS: Final = "linked_node"
"""Smallest number among the persons of spaces that are one."""
SPACES: Final = "spaces"
"""Spaces of a group, one bit each."""
_MOST: Final = 62
_ONE: Final = "one"
_OTHER: Final = "other"
_RANK: Final = "rank"


def alone(table: ibis.Table, *, scratch: Scratch) -> ibis.Table:
    """Groups before any link: ``node, linked_node, spaces``, the last a set of spaces as bits.

    Raises
    ------
    RefusedError
        With more than 62 spaces.
    """
    spaces = sorted(table.select(SPACE).distinct()[SPACE].execute())
    if len(spaces) > _MOST:
        raise RefusedError(
            what="spaces of persons",
            needed=f"at most {_MOST} of them",
            found=str(len(spaces)),
            remedy="give sources that identify persons alike one space",
        )
    bit = ibis.cases(
        *((table[SPACE] == space, 1 << rank) for rank, space in enumerate(spaces)), else_=0
    )
    return scratch.keep(
        "groups",
        table.select(NODE, **{PERSONS: table[NODE], SPACES: bit.cast("int64")}),
        what=WHAT,
    )


def joined(groups: ibis.Table, edges: ibis.Table, *, scratch: Scratch) -> ibis.Table:
    """Join groups along the pairs of one stage.

    Parameters
    ----------
    groups : ibis.Table
        ``node, linked_node, spaces``; left as it is.
    edges : ibis.Table
        ``left_node, right_node, probability``.
    scratch : Scratch

    Returns
    -------
    ibis.Table
        Like ``groups``.

    Notes
    -----
    Equal probabilities are taken in the order of numbers: the answer does not depend on the order of
    rows. The best pair of all is always named by both its sides, so that every round joins some.
    """
    current = scratch.keep("groups", groups, what=WHAT)
    while True:
        round_ = scratch.keep("round", _named_by_both(current, edges), what=WHAT)
        if not int(round_.count().execute()):
            scratch.drop(round_)
            return current
        after = scratch.keep("groups", _after(current, round_), what=WHAT)
        scratch.drop(round_)
        scratch.drop(current)
        current = after


def _named_by_both(groups: ibis.Table, edges: ibis.Table) -> ibis.Table:
    """``one, other``: pairs of groups that join now, ``one`` being the smaller number."""
    left, right = groups.view(), groups.view()
    ends = edges.join(left, edges[LEFT] == left[NODE]).join(right, edges[RIGHT] == right[NODE])
    apart = ends.select(
        **{
            PROBABILITY: edges[PROBABILITY],
            _ONE: ibis.least(left[PERSONS], right[PERSONS]),
            _OTHER: ibis.greatest(left[PERSONS], right[PERSONS]),
            "both": (left[SPACES] & right[SPACES]),
        }
    ).filter(_[_ONE] != _[_OTHER], _.both == 0)
    best = apart.group_by([_ONE, _OTHER]).aggregate(**{PROBABILITY: _[PROBABILITY].max()})
    order = [ibis.desc(PROBABILITY), _ONE, _OTHER]
    ranked = best.mutate(**{_RANK: ibis.row_number().over(order_by=order)})
    sides = ranked.select(group=_[_ONE], rank=_[_RANK]).union(
        ranked.select(group=_[_OTHER], rank=_[_RANK])
    )
    named = sides.group_by("group").aggregate(rank=_.rank.min())
    twice = named.group_by("rank").having(_.count() == 2).aggregate(n=_.count())
    return ranked.semi_join(twice, _RANK).select(_ONE, _OTHER)


def _after(groups: ibis.Table, round_: ibis.Table) -> ibis.Table:
    """Groups once those pairs have joined."""
    moved = groups.left_join(round_, groups[PERSONS] == round_[_OTHER])
    renamed = moved.select(
        groups[NODE],
        groups[SPACES],
        **{PERSONS: ibis.coalesce(round_[_ONE], groups[PERSONS])},
    )
    whole = ibis.window(group_by=PERSONS)
    return renamed.select(NODE, PERSONS, **{SPACES: _[SPACES].bit_or().over(whole)})


def conflicts(groups: ibis.Table, edges: ibis.Table) -> int:
    """Pairs whose two ends stayed apart, one of them being another person's already."""
    left, right = groups.view(), groups.view()
    ends = edges.join(left, edges[LEFT] == left[NODE]).join(right, edges[RIGHT] == right[NODE])
    return int(ends.filter(left[PERSONS] != right[PERSONS]).count().execute())


def stages(edges: ibis.Table) -> list[int]:
    """Stages that have pairs, in order."""
    return sorted(int(s) for s in edges.select(STAGE).distinct()[STAGE].execute())
