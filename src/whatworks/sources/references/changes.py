"""Communes of other years and the one of the geography that they became."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import ibis
from ibis import _

from whatworks.sources.problems import Problem, counted, refuse_if
from whatworks.sources.references.reference import Reference
from whatworks.sources.scratch import Scratch
from whatworks.vocabulary import COMMUNE

OLD: Final = "old"
NEW: Final = "new"
_SHOWN: Final = 5
_CODE: Final = "^[0-9][0-9AB][0-9]{3}$"
"""Shape of an official code: all that errors show, lest the mapping point at another column."""


def successors(
    changes: ibis.Table, communes: ibis.Table, reference: Reference, *, scratch: Scratch
) -> ibis.Table:
    """Follow changes until they reach a commune of the geography.

    Changes of a commune that is in the geography are not followed: its code still stands. Those
    that end outside the geography lead nowhere and are dropped: whoever lives there is counted
    when places are brought to the geography.

    Parameters
    ----------
    changes : ibis.Table
        ``old, new``.
    communes : ibis.Table
        ``commune``: those of the geography.
    reference : Reference
        Where the changes were read, for errors.
    scratch : Scratch

    Returns
    -------
    ibis.Table
        ``old, new``: each commune that is not in the geography and became one of it, once.

    Raises
    ------
    ProblemsError
        When changes run in a circle, when a commune became several of the geography, or when no
        change reaches it.
    """
    said = changes.filter(changes[OLD] != changes[NEW])  # a blank one is null, and so not kept
    gone = said.anti_join(communes, said[OLD] == communes[COMMUNE]).distinct()
    paths = scratch.keep("changes", gone, what="territories.changes")
    steps = int(paths.count().execute())
    reach = 1
    while _unfinished(paths).count().execute():
        # Each round doubles how far paths have been followed: past their number, they run in a circle.
        if reach > steps:
            refuse_if([_circle(paths, reference)])
        paths, done = scratch.keep("changes", _doubled(paths), what="territories.changes"), paths
        scratch.drop(done)
        reach *= 2
    reached = paths.semi_join(communes, paths[NEW] == communes[COMMUNE])
    problems = list(_several(reached, reference))
    if not int(reached.count().execute()):
        problems.append(_nowhere(reference))
    refuse_if(problems)
    return reached


def _unfinished(paths: ibis.Table) -> ibis.Table:
    """Paths whose end changed again."""
    ends = paths.view()
    return paths.semi_join(ends, paths[NEW] == ends[OLD])


def _doubled(paths: ibis.Table) -> ibis.Table:
    """Paths, each followed by the path that begins where it ends."""
    then = paths.view()
    joined = paths.left_join(then, paths[NEW] == then[OLD])
    end = ibis.coalesce(then[NEW], paths[NEW])
    return joined.select(**{OLD: paths[OLD], NEW: end}).distinct()


def _several(paths: ibis.Table, reference: Reference) -> Iterator[Problem]:
    """Tell the communes that became several of the geography, if any."""
    split = paths.group_by(OLD).having(_.count() > 1).aggregate(n=_.count())
    if count := int(split.count().execute()):
        yield Problem(
            what=reference.say(),
            needed="one commune of the geography for each commune that is no longer in it",
            found=f"{counted(count, 'commune')} that became several{shown(split[OLD])}",
            remedy="keep the line of the commune that most inhabitants went to, and write down why",
        )


def _circle(paths: ibis.Table, reference: Reference) -> Problem:
    endless = _unfinished(paths).select(OLD).distinct()
    return Problem(
        what=reference.say(),
        needed="changes that end in a commune",
        found=f"{counted(int(endless.count().execute()), 'commune')} whose changes run in a circle"
        f"{shown(endless[OLD])}",
        remedy="keep the changes that lead to the geography",
    )


def _nowhere(reference: Reference) -> Problem:
    return Problem(
        what=reference.say(),
        needed="changes from communes of other years to communes of the geography",
        found="none that ends in it",
        remedy="check changes.old and changes.new, and the year of territories.communes",
    )


def shown(codes: ibis.Value) -> str:
    """``: 01001, 01002`` of the first codes in order, those alone that are codes of communes."""
    table = codes.name("code").as_table().distinct()
    first = table.filter(_.code.re_search(_CODE)).order_by("code").limit(_SHOWN).execute()
    return ": " + ", ".join(first.code) if len(first) else ""
