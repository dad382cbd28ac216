"""The frozen product of the second room: one person's stays in each state, without contradiction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import ibis

from whatworks.errors import OptionError, choice
from whatworks.ledger import Ledger
from whatworks.sources.records import Records

OPEN_DAYS: Final = 32_767
"""``days`` of a spell whose end nobody declared: longer than any fixed term."""
POLICIES: Final = ("keep", "union", "priority")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """What becomes of rows of one kind that speak of the same days of a person.

    Parameters
    ----------
    policy : {"union", "keep", "priority"}
        ``union``: rows in one state are one stay; different states stay side by side, so that
        several accompaniments run at once. ``keep``: every row stays apart with its own declared
        length: two contracts of employment at once are two contracts. ``priority``: where two
        sources tell different states at the same time, the row of the earlier source stands and
        the other is cut, or split, around it; then as ``union``.
    sources : tuple of str
        For ``priority``: sources from the most to the least believed. Sources left out come after
        all of these and leave one another alone.
    """

    policy: str = "union"
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        choice(self.policy, POLICIES, what="overlap policy")
        ordered = len(set(self.sources)) == len(self.sources) > 0
        if (self.policy == "priority") != bool(self.sources) or (self.sources and not ordered):
            raise OptionError(
                what=f"overlap policy {self.policy!r}",
                needed="an order of distinct sources for 'priority', and none for the others",
                found=", ".join(self.sources) or "no source",
                remedy="list each source once, the most believed first",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spells:
    """Stays of persons in states.

    Parameters
    ----------
    records : Records
        What they were made from.
    table : ibis.Table
        ``person_id, kind, code, scheme (string or null), start (date), end (date), days (int32 or
        null), open_ended (bool), intensity (float64 or null)``. ``end`` is included. Spells of one
        person, kind, code and scheme do not overlap, except where the policy of the kind is
        ``keep``. ``days`` is the length of a contract of employment as declared when it was
        recorded, `OPEN_DAYS` when it had no end; it is null for all other stays, whose length
        nobody declares in advance. An open spell ends with what its source covers, or the day
        before its source loses sight of the person. ``intensity`` is the dose of the whole stay.
    ledger : Ledger
        The reading ledger and this room's steps.
    overlaps : mapping of kind to Overlap
        The policies applied.
    doses : ibis.Table or None
        ``person_id, kind, code, start, end, intensity, row_start, row_end``: each dose over the
        days of the row that told it, which the merging of stays would blur; ``start`` to ``end``
        are the days the row keeps where another source is believed first. None when no source
        tells a dose.
    """

    records: Records
    table: ibis.Table
    ledger: Ledger
    overlaps: Mapping[str, Overlap] = field(default_factory=dict)
    doses: ibis.Table | None = None
