"""What every producer of the samples sees of one small simulated département.

The world lives 60 months; producers show `FIRST` to `LAST`, which hold a year of history, the year
of entries and a year after it. Months are counted from the world's first, as in its pathways.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from whatworks.months import to_index, to_label
from whatworks.worlds.clock import Calendar
from whatworks.worlds.departement import DepartementWorld, simulate
from whatworks.worlds.producers.identities import Identity, draw_identities
from whatworks.worlds.programmes import PROGRAMMES, Departement

FIRST: Final = 12
LAST: Final = 47
"""Months shown, both included, counted from the world's first."""
SAMPLE: Final = Departement(
    seed=11,
    n_persons=120,
    n_markets=3,
    first="2021-01",
    programmes=tuple(replace(p, monthly_entry=3 * p.monthly_entry) for p in PROGRAMMES),
)
"""The département of the committed samples: entries are frequent, so that few persons suffice."""
COMMUNES: Final = (("00101", "00100"), ("00102", "00110"), ("00203", "00200"))
"""Commune and postcode of each market, in a département that does not exist: ``00``."""
_IDENTITIES: Final = 3
"""Branch of the seed from which identities are drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """A world and who its persons say they are.

    Parameters
    ----------
    world : DepartementWorld
    calendar : Calendar
    identities : tuple of Identity
        One per person, in order.
    """

    world: DepartementWorld
    calendar: Calendar
    identities: tuple[Identity, ...]

    @property
    def persons(self) -> range:
        """Numbers of the persons."""
        return range(self.world.options.n_persons)

    @property
    def months(self) -> range:
        """Months shown."""
        return range(FIRST, LAST + 1)

    def label(self, month: int) -> str:
        """``2022-01`` for a month counted from the world's first."""
        return to_label(to_index(self.world.options.first) + month)

    def compact(self, month: int) -> str:
        """``202201`` for a month counted from the world's first."""
        return self.label(month).replace("-", "")

    def commune(self, person: int) -> tuple[str, str]:
        """Commune and postcode where a person lives."""
        return COMMUNES[int(self.world.persons.market[person])]

    def accompaniment(self, person: int) -> str | None:
        """Accompaniment a person entered, None when none."""
        programme = int(self.world.pathways.programme[person])
        if programme < 0:
            return None
        return str(self.world.options.programmes[programme].accompaniment)

    def stay(self, person: int) -> tuple[int, int]:
        """First and last day of the accompaniment, both included, since 1970-01-01."""
        lived = self.world.pathways
        after = self.calendar.day(int(lived.entry[person] + lived.stay[person]))
        return int(lived.entry_day[person]), int(after) - 1


def extract(options: Departement = SAMPLE) -> Extract:
    """Simulate a département and the identities of its persons.

    Parameters
    ----------
    options : Departement
        By default, those of the committed samples.
    """
    world = simulate(options)
    seed = np.random.SeedSequence(options.seed, spawn_key=(_IDENTITIES,))
    rng = np.random.Generator(np.random.PCG64(seed))
    return Extract(
        world=world,
        calendar=Calendar.starting(options.first),
        identities=draw_identities(world.persons.birth, world.persons.woman, rng),
    )
