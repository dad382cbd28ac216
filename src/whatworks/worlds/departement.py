"""A simulated département whose truth is known.

Persons in several employment zones live 60 months: work under contracts that begin, end and
overlap, RSA that opens late and closes by the quarter, and at most one accompaniment, entered
between the 25th and the 36th month by persons paid RSA the month before. Entry depends on what
is seen before it, never on the frailty that also moves employment, so that comparing persons of
one month, one history and the same covariates identifies the effect of *starting now* against
*not having started*; comparing raw averages does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whatworks.worlds.chances import Draws, Stream
from whatworks.worlds.pathways import Pathways, follow
from whatworks.worlds.population import Bools, Ints, Persons, draw_persons
from whatworks.worlds.programmes import ENTRY_MONTHS, Departement


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartementWorld:
    """One simulated département.

    Parameters
    ----------
    options : Departement
    persons : Persons
        Columns of shape (n_persons,).
    pathways : Pathways
        What became of them.
    """

    options: Departement
    persons: Persons
    pathways: Pathways

    def eligible(self, month: int) -> Bools:
        """Persons who may enter in a month counted from the window's first.

        They were paid RSA the month before and had started nothing. Shape (n_persons,).
        """
        entry = self.pathways.entry
        return np.asarray(self.pathways.rsa[month - 1] & ((entry < 0) | (entry >= month)))

    def eligible_share(self) -> float:
        """Share of persons eligible in at least one entry month."""
        return float(np.any([self.eligible(month) for month in ENTRY_MONTHS], axis=0).mean())

    def entrants(self) -> dict[str, int]:
        """Count entrants by accompaniment."""
        names = [p.accompaniment.value for p in self.options.programmes]
        entered = self.pathways.programme[self.pathways.programme >= 0]
        counts = np.bincount(entered, minlength=len(names))
        return dict(zip(names, counts.tolist(), strict=True))


def simulate(options: Departement | None = None) -> DepartementWorld:
    """Simulate a département from its seed.

    Parameters
    ----------
    options : Departement, optional
        By default, those of the committed sample.

    Returns
    -------
    DepartementWorld

    Examples
    --------
    >>> world = simulate(Departement(n_persons=100, seed=1))
    >>> world.pathways.employed.shape
    (60, 100)
    """
    options = options or Departement()
    return live(options, np.random.SeedSequence(options.seed))


def live(
    options: Departement, seed: np.random.SeedSequence, *, blocked: Ints | None = None
) -> DepartementWorld:
    """Simulate from a seed of numpy, with each person kept from entering in one month if asked.

    Two calls with one seed live through the same chances: what differs between them is what the
    forbidden entries caused.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    persons = draw_persons(options, rng)
    draws = monthly_draws(rng, n_persons=options.n_persons)
    return DepartementWorld(
        options=options, persons=persons, pathways=follow(options, persons, draws, blocked=blocked)
    )


def monthly_draws(rng: np.random.Generator, *, n_persons: int) -> Draws:
    """Uniforms of successive months from one generator."""

    def draws(month: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:  # noqa: ARG001 - months come in order
        return rng.random((len(Stream), n_persons))

    return draws
