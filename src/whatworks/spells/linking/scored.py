"""Pairs with their probabilities, and the persons they make at a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import ibis
from ibis import _
from ibis.backends.duckdb import Backend

from whatworks.errors import OptionError, SourceRefused
from whatworks.ledger import Ledger
from whatworks.sources.problems import refusing, reworded
from whatworks.sources.records import Linked, Records
from whatworks.sources.scratch import Scratch
from whatworks.spells.linking import clusters, people, rates
from whatworks.spells.linking.clusters import PERSONS
from whatworks.spells.linking.keys import DOUBT, LEFT, METHOD, PROBABILITY, RIGHT, STAGE
from whatworks.spells.linking.people import HASHED, NODE, SPACE, WHAT
from whatworks.spells.linking.rewriting import IN_STUDY, LINKED, Rewritten, rewrite
from whatworks.vocabulary import PERSON

ALONE: Final = "alone"
LEAST: Final = 0.5
"""Probability above which a record has at most one likely counterpart in each space."""
ROOM: Final = "spells"
_NAME_LENGTH: Final = 32
PAIRS: Final = {
    LEFT: "int64",
    RIGHT: "int64",
    STAGE: "int32",
    METHOD: "string",
    PROBABILITY: "float64",
    DOUBT: "float64",
}
"""Columns of a table of pairs."""


def engine_of(records: Records) -> Backend:
    """The engine, which must be the one that links.

    Raises
    ------
    OptionError
    """
    if not isinstance(records.connection, Backend):
        raise OptionError(
            what="link",
            needed="records held by DuckDB",
            found=f"records held by {records.connection.name}",
            remedy="read and link on the default engine, then hand the linked records over",
        )
    return records.connection


def together(tables: Sequence[ibis.Table], *, scratch: Scratch) -> ibis.Table:
    """Tables of pairs as one."""
    typed = [t.select(**{c: t[c].cast(kind) for c, kind in PAIRS.items()}) for t in tables]
    return scratch.keep("pairs", ibis.union(*typed) if len(typed) > 1 else typed[0], what=WHAT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Pairs with their probabilities, from which persons are made at any threshold.

    Parameters
    ----------
    records : Records
        Not linked; they still hold identities.
    threshold : float
        The one `at` takes when it is given none.
    people : ibis.Table
        ``node, space, person_id, hashed_id, sex, birth_year``: every person of every space.
    groups : ibis.Table
        ``node, linked_node, spaces``: persons linked by NIR and keys.
    certain, probable : ibis.Table
        ``left_node, right_node, stage, method, probability, doubt``: pairs by NIR and keys, and pairs
        more probable than not.
    ledger : Ledger
        Steps of the scoring.
    """

    records: Records
    threshold: float
    people: ibis.Table
    groups: ibis.Table
    certain: ibis.Table
    probable: ibis.Table
    ledger: Ledger

    def at(self, threshold: float | None = None) -> Records:
        """Records in which pairs from this probability on are one person.

        Parameters
        ----------
        threshold : float, optional
            Strictly between 0.5 and 1.

        Raises
        ------
        OptionError
            When it is not.
        """
        chosen = self.threshold if threshold is None else threshold
        if not LEAST < chosen < 1:
            raise OptionError(
                what="threshold",
                needed="a probability strictly between 0.5 and 1",
                found=f"{chosen:g}",
                remedy="write for instance 0.99",
            )
        with refusing(), Scratch(engine_of(self.records)) as scratch, reworded(WHAT):
            return _linked(self, chosen, scratch=scratch)

    def drop(self) -> None:
        """Take its tables from the engine: who is called how. Records made of it stay whole."""
        for table in (self.people, self.groups, self.certain, self.probable):
            self.records.connection.drop_table(str(table.op().name), force=True)


def _linked(scored: Scored, threshold: float, *, scratch: Scratch) -> Records:
    records = scored.records
    probable = scored.probable.filter(_[PROBABILITY] >= threshold)
    groups = clusters.joined(scored.groups, probable, scratch=scratch)
    edges = together([scored.certain, probable], scratch=scratch)
    members = scratch.keep(
        "members", _members(scored.people, groups, edges, givers=_givers(records)), what=WHAT
    )
    rewritten = rewrite(records, members.select(PERSON, NODE, LINKED, IN_STUDY), scratch=scratch)
    final = members.drop(PERSON).rename({PERSON: LINKED})
    links = scratch.keep("links", final.select(SPACE, PERSON, METHOD, PROBABILITY), what=WHAT)
    ledger = _pairs_step(records.ledger + scored.ledger, groups, edges)
    ledger = _persons_steps(ledger, members)
    ledger = _rows_steps(ledger, records, rewritten)
    scratch.hand_over(links)
    return replace(
        rewritten.records,
        linked=Linked(
            links=links,
            rates=rates.measure(rewritten, final),
            threshold=threshold,
        ),
        ledger=ledger,
    )


def _givers(records: Records) -> Sequence[str]:
    """Spaces whose persons are those of the study; none when everybody is."""
    known = records.acquaintance
    return () if known is None else sorted(known.givers)


def _members(
    table: ibis.Table, groups: ibis.Table, edges: ibis.Table, *, givers: Sequence[str]
) -> ibis.Table:
    """Every person of a space: called how, linked how."""
    left, right = groups.view(), groups.view()
    ends = edges.join(left, edges[LEFT] == left[NODE]).join(right, edges[RIGHT] == right[NODE])
    used = ends.filter(left[PERSONS] == right[PERSONS]).select(
        edges[LEFT], edges[RIGHT], edges[STAGE], edges[METHOD], edges[PROBABILITY], edges[DOUBT]
    )
    both = used.rename({NODE: LEFT}).drop(RIGHT).union(used.rename({NODE: RIGHT}).drop(LEFT))
    order = [STAGE, ibis.desc(PROBABILITY), DOUBT]
    ranked = both.mutate(rank=ibis.row_number().over(group_by=NODE, order_by=order))
    best = ranked.filter(_.rank == 0).select(NODE, METHOD, PROBABILITY, DOUBT)
    inside = ibis.literal(not givers) | table[SPACE].isin(list(givers) or [""])
    study = (
        table.mutate(inside=inside)
        .join(groups.select(NODE, PERSONS), NODE)
        .group_by(PERSONS)
        .aggregate(**{IN_STUDY: _.inside.any()})
    )
    called = table.select(**{PERSONS: table[NODE], "called": table[HASHED].left(_NAME_LENGTH)})
    whole = (
        table.join(groups.select(NODE, PERSONS), NODE)
        .join(called, PERSONS)
        .join(study, PERSONS)
        .left_join(best, NODE)
    )
    return whole.select(
        NODE,
        SPACE,
        PERSON,
        people.SEX,
        people.YEAR,
        PROBABILITY,
        DOUBT,
        IN_STUDY,
        **{LINKED: whole.called, METHOD: whole[METHOD].fill_null(ALONE)},
    )


def _pairs_step(ledger: Ledger, groups: ibis.Table, edges: ibis.Table) -> Ledger:
    return ledger.add(
        ROOM,
        "link_pairs",
        unit="pairs",
        before=int(edges.count().execute()),
        dropped={"other_person": clusters.conflicts(groups, edges)},
    )


def _persons_steps(ledger: Ledger, members: ibis.Table) -> Ledger:
    """Persons of spaces that are one person, then persons that no source of the study knows."""
    counts = members.aggregate(
        spaces=_.count(),
        persons=_[LINKED].nunique(),
        inside=_[LINKED].nunique(where=_[IN_STUDY]),
    ).execute()
    spaces, persons, inside = (int(counts[c].iloc[0]) for c in ("spaces", "persons", "inside"))
    merged = {"merged": spaces - persons}
    unknown = {"person_unknown": persons - inside}
    return ledger.add(ROOM, "link", unit="persons", before=spaces, dropped=merged).add(
        ROOM, "link_study", unit="persons", before=persons, dropped=unknown
    )


def _rows_steps(ledger: Ledger, records: Records, rewritten: Rewritten) -> Ledger:
    """Rows of each source about persons of the study, and characteristics told twice.

    Raises
    ------
    SourceRefused
        When nothing of a source is about persons of the study.
    """
    lenient = frozenset[str]() if records.acquaintance is None else records.acquaintance.lenient
    for source, (before, after) in rewritten.rows.items():
        if not after and source not in lenient:
            raise SourceRefused(
                what=f"source {source!r} once persons are linked",
                needed="rows about persons that the sources with attributes know",
                found=f"none among {before:,}",
                remedy="check what its identity table maps, or write strangers = 'count' for it",
            )
        ledger = ledger.add(
            ROOM,
            f"link_{source}",
            unit="rows",
            before=before,
            dropped={"person_unknown": before - after},
        )
    values = rewritten.values
    if not values["said"]:
        return ledger
    return ledger.add(
        ROOM,
        "link_values",
        unit="values",
        before=values["said"],
        dropped={"repeated": values["repeated"], "disagree": values["disagree"]},
    )
