"""Counts of one passage of a source, on their way to the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from whatworks.ledger import Ledger

ROOM: Final = "sources"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """What entered a step and what was left behind there.

    Parameters
    ----------
    name : str
        Of the step in the ledger.
    unit : str
    before : int
    dropped : mapping of reason to count
    """

    name: str
    unit: str
    before: int
    dropped: Mapping[str, int] = field(default_factory=dict)

    @property
    def after(self) -> int:
        """What came through."""
        return self.before - sum(self.dropped.values())

    def less(self, dropped: Mapping[str, int]) -> Passage:
        """The passage with more left behind; reasons that are already there add up."""
        total = Counter(self.dropped)
        for reason, count in dropped.items():
            total[reason] += count
        return Passage(name=self.name, unit=self.unit, before=self.before, dropped=total)

    def written(self, ledger: Ledger) -> Ledger:
        """Ledger with this passage as a step."""
        return ledger.add(ROOM, self.name, unit=self.unit, before=self.before, dropped=self.dropped)
