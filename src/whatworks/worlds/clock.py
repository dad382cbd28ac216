"""The window's months and days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from whatworks.months import to_index
from whatworks.worlds.population import Ints
from whatworks.worlds.programmes import WINDOW

BURN_IN: Final = 36
"""Months lived before the window, so that it opens on contracts already running."""
BEYOND: Final = 36
"""Months after the window in which contracts of known length may end."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """First days of months, from the burn-in to well beyond the window."""

    first: int
    days: Ints

    @classmethod
    def starting(cls, first: str) -> Calendar:
        """Calendar of the window whose first month is given."""
        index = to_index(first)
        months = np.arange(-BURN_IN, WINDOW + BEYOND) + (index - 12 * 1970)
        days = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        return cls(index, days)

    def day(self, month: int | Ints) -> Ints:
        """First day of a month counted from the window's first."""
        return np.asarray(self.days[np.asarray(month) + BURN_IN])

    def length(self, month: int) -> int:
        """Days in the month."""
        return int(self.day(month + 1) - self.day(month))

    def month(self, day: Ints) -> Ints:
        """Month, counted from the window's first, that holds a day."""
        return np.searchsorted(self.days, day, side="right") - 1 - BURN_IN
