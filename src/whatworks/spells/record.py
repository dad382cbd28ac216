"""The frozen product of the second room: one person's stays in each state, without contradiction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import ibis

from whatworks.ledger import Ledger
from whatworks.sources.records import Records

OPEN_DAYS: Final = 32_767
"""``days`` of a spell whose end nobody declared: longer than any fixed term."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spells:
    """Stays of persons in states.

    Parameters
    ----------
    records : Records
        What they were made from.
    table : ibis.Table
        ``person_id, kind, code, start (date), end (date), days (int32), open_ended (bool)``.
        ``end`` is included. Spells of one person, kind and code do not overlap, except contracts
        of employment, each of which keeps its own length: ``days`` is the length declared when
        the spell was recorded, `OPEN_DAYS` when it had no end. An open spell ends with what its
        source covers.
    ledger : Ledger
        The reading ledger and this room's steps.
    """

    records: Records
    table: ibis.Table
    ledger: Ledger
