"""The frozen product of the second room: one person's stays in each state, without contradiction."""

from __future__ import annotations

from dataclasses import dataclass

import ibis

from whatworks.sources.records import Records


@dataclass(frozen=True, slots=True, kw_only=True)
class Spells:
    """Stays of persons in states.

    Parameters
    ----------
    records : Records
        What they were made from; its ledger is longer by this room's steps.
    table : ibis.Table
        ``person_id, kind, code, start (date), end (date), days (int32), open_ended (bool)``.
        ``end`` is included. Spells of one person, kind and code do not overlap.
        ``days`` is the declared length of the longest contract in the spell; an open
        spell ends with its source's coverage and has ``days`` of at least 32,767.
    """

    records: Records
    table: ibis.Table
