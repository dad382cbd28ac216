"""Who lives in the simulated département."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.months import to_index
from whatworks.worlds.programmes import HISTORY, Departement, Selection

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SHARE_WOMEN: Final = 0.54
AGE_FROM: Final = (20, 25, 30, 35, 40, 45, 50, 55)
"""Five-year groups when entries begin."""
AGE_SHARES: Final = (0.05, 0.16, 0.18, 0.17, 0.15, 0.12, 0.10, 0.07)
EDUCATION_SHARES: Final = (0.20, 0.17, 0.34, 0.17, 0.12)
CHILDREN_SHARES: Final = (0.46, 0.20, 0.18, 0.11, 0.05)
FRAILTY: Final = (0.45, 1.0, 1.8)
"""What nobody records: a factor on the chance of finding a job."""
FRAILTY_SHARES: Final = (0.33, 0.42, 0.25)
MARKET_LARGEST: Final = 2.0
"""Size of the first market relative to the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Persons:
    """Columns of shape (n_persons,), fixed before the window begins.

    Parameters
    ----------
    woman : ndarray of int
        1 or 0.
    birth : ndarray of int
        Birth month as an integer month.
    age_group : ndarray of int
        0 under 30, 1 from 30 to 44, 2 from 45, when entries begin.
    education : ndarray of int
        0 (no certificate) to 4 (higher education).
    children : ndarray of int
        0 to 4.
    market : ndarray of int
        0 (the slackest) to ``n_markets - 1``.
    frailty : ndarray of float
        Unobserved: written to no file and entering no chance of entry.
    """

    woman: Ints
    birth: Ints
    age_group: Ints
    education: Ints
    children: Ints
    market: Ints
    frailty: Floats


def tightness(n_markets: int) -> Floats:
    """Factor of each market on job finding, from slack to tight, shape (n_markets,).

    >>> tightness(5).tolist()
    [0.7, 0.85, 1.0, 1.15, 1.3]
    """
    if n_markets == 1:
        return np.ones(1)
    steps = 2 * np.arange(n_markets) - (n_markets - 1)
    # Rounded once, so that the published figure is the figure used.
    return np.round(1 + 0.3 * steps / (n_markets - 1), 6)


def leaning(value: float, n_markets: int) -> Floats:
    """``value`` in the slackest market, going linearly to ``2 - value`` in the tightest."""
    if n_markets == 1:
        return np.ones(1)
    return np.round(value + 2 * (1 - value) * np.arange(n_markets) / (n_markets - 1), 6)


def draw_persons(options: Departement, rng: np.random.Generator) -> Persons:
    """Draw the inhabitants, independently of one another."""
    u = rng.random((7, options.n_persons))
    age = np.array(AGE_FROM)[_category(u[0], AGE_SHARES)]
    months_old = 12 * age + np.floor(60 * u[1]).astype(np.int64)
    sizes = np.linspace(MARKET_LARGEST, 1, options.n_markets)
    return Persons(
        woman=(u[2] < SHARE_WOMEN).astype(np.int64),
        birth=to_index(options.first) + HISTORY - months_old,
        age_group=(age >= 30).astype(np.int64) + (age >= 45),
        education=_category(u[3], EDUCATION_SHARES),
        children=_category(u[4], CHILDREN_SHARES),
        market=_category(u[5], tuple(sizes / sizes.sum())),
        frailty=np.array(FRAILTY)[_category(u[6], FRAILTY_SHARES)],
    )


def selection_factor(persons: Persons, selection: Selection, *, n_markets: int) -> Floats:
    """Part of the chance of entering that does not move with time, shape (n_persons,)."""
    return np.asarray(
        np.where(persons.woman == 1, selection.woman, 1.0)
        * np.array(selection.ages)[persons.age_group]
        * np.array(selection.education)[persons.education]
        * leaning(selection.slack, n_markets)[persons.market]
    )


def _category(u: Floats, shares: tuple[float, ...]) -> Ints:
    """Category of each uniform when categories have these shares of the unit interval."""
    return np.searchsorted(np.cumsum(shares)[:-1], u, side="right").astype(np.int64)
