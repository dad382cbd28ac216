r"""Pilot and other zones over months: parallel trends by construction, and a known effect curve.

.. math:: Y_{it} = a_i + \gamma_t + \theta_{t-g(i)}\,1\{t \ge g(i)\} + u_{it}, \qquad
          u_{it} = \rho\,u_{i,t-1} + e_{it},

with a person effect :math:`a_i` that differs between pilot and other zones, a shock
:math:`\gamma_t` common to all persons of a month, and noise :math:`u` that lasts. :math:`g(i)` is
the month in which the zone of person :math:`i` adopts. Without adoption, average changes are those
of :math:`\gamma` everywhere: comparing levels is biased, comparing changes is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.errors import OptionError

Floats = NDArray[np.float64]
NEVER: Final = 0
"""``first_treated`` of zones that do not adopt."""
UNIT_COLUMN: Final = "unit"
PERIOD: Final = "period"
FIRST_TREATED: Final = "first_treated"
OUTCOME: Final = "outcome"
ZONE: Final = "zone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilots:
    r"""Options of a world of pilots.

    Parameters
    ----------
    seed : int
    n_zones : int
        Zones, of 25 persons unless told otherwise.
    persons_per_zone : int
    n_months : int
        Months are numbered from 1.
    adoptions : tuple of (int, float)
        Month of adoption and share of zones of each cohort; other zones never adopt.
    effect : tuple of float
        :math:`\theta` by month since adoption, that of adoption first; the last one goes on.
    pilot_gap : float
        By how much the average person effect of zones that adopt exceeds that of others.
    month_sd : float
        Standard deviation of monthly changes of :math:`\gamma`.
    noise_sd : float
        Standard deviation of :math:`u` in any month.
    persistence : float
        :math:`\rho`.
    """

    seed: int = 0
    n_zones: int = 40
    persons_per_zone: int = 25
    n_months: int = 36
    adoptions: tuple[tuple[int, float], ...] = ((19, 0.5),)
    effect: tuple[float, ...] = (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
    pilot_gap: float = 2.0
    month_sd: float = 0.5
    noise_sd: float = 3.0
    persistence: float = 0.6

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise _bad("seed", "at least 0", str(self.seed))
        months = [month for month, _ in self.adoptions]
        if len(set(months)) < len(months) or not all(2 <= m <= self.n_months for m in months):
            raise _bad("adoptions", f"distinct months from 2 to {self.n_months}", str(months))
        if min((0.0, *(share for _, share in self.adoptions))) < 0 or (
            sum(share for _, share in self.adoptions) > 1
        ):
            raise _bad("adoptions", "shares of zones of at most 1 in all", str(self.adoptions))
        if not self.effect:
            raise _bad("effect", "at least one month", "none")
        if not -1 < self.persistence < 1:
            raise _bad("persistence", "a number between -1 and 1", str(self.persistence))


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotsWorld:
    """One draw.

    Parameters
    ----------
    options : Pilots
    frame : DataFrame
        ``unit, zone, period, first_treated, outcome``, sorted by unit then period, ready for
        ``Design.from_panel``; ``first_treated`` is 0 in zones that never adopt.
    """

    options: Pilots
    frame: pd.DataFrame


def simulate_pilots(options: Pilots | None = None) -> PilotsWorld:
    """Draw persons, months and noise.

    Examples
    --------
    >>> world = simulate_pilots(Pilots(n_zones=4, persons_per_zone=2, n_months=20))
    >>> world.frame.shape, sorted(world.frame["first_treated"].unique().tolist())
    ((160, 5), [0, 19])
    """
    options = options or Pilots()
    rng = np.random.Generator(np.random.PCG64(options.seed))
    zone = np.repeat(np.arange(options.n_zones), options.persons_per_zone)
    first = _adoption(options, rng)[zone]
    person = rng.normal(10.0, 4.0, zone.size) + options.pilot_gap * (first != NEVER)
    month = np.cumsum(rng.normal(0.0, options.month_sd, options.n_months))
    noise = _noise(options, zone.size, rng)
    periods = np.arange(1, options.n_months + 1)
    since = periods - first[:, None]
    values = person[:, None] + month + effect_since(options, since) * (first != NEVER)[:, None]
    frame = pd.DataFrame(
        {
            UNIT_COLUMN: np.repeat(np.arange(zone.size), options.n_months),
            ZONE: np.repeat(zone, options.n_months),
            PERIOD: np.tile(periods, zone.size),
            FIRST_TREATED: np.repeat(first, options.n_months),
            OUTCOME: (values + noise).ravel(),
        }
    )
    return PilotsWorld(options=options, frame=frame)


def pilots_truth(options: Pilots | None = None) -> pd.DataFrame:
    """Effect of each cohort in each month seen since its adoption.

    Returns
    -------
    DataFrame
        ``first_treated, month, value``; the same curve for every cohort, cut where the window ends.
    """
    options = options or Pilots()
    rows = [
        (first, month, float(effect_since(options, np.array(month))))
        for first, _ in options.adoptions
        for month in range(options.n_months - first + 1)
    ]
    return pd.DataFrame(rows, columns=[FIRST_TREATED, "month", "value"])


def effect_since(options: Pilots, months: NDArray[np.int64]) -> Floats:
    """Effect by months since adoption, 0 before; shape of ``months``."""
    curve = np.array(options.effect)
    reached = np.clip(months, 0, curve.size - 1)
    return np.where(months >= 0, curve[reached], 0.0)


def _adoption(options: Pilots, rng: np.random.Generator) -> NDArray[np.int64]:
    """Month of adoption of each zone, drawn without replacement among zones."""
    first = np.full(options.n_zones, NEVER, dtype=np.int64)
    order, done = rng.permutation(options.n_zones), 0
    for month, share in options.adoptions:
        count = round(share * options.n_zones)
        first[order[done : done + count]] = month
        done += count
    return first


def _noise(options: Pilots, n: int, rng: np.random.Generator) -> Floats:
    """Stationary first-order autoregression, shape (n, n_months)."""
    rho = options.persistence
    drawn = options.noise_sd * rng.standard_normal((n, options.n_months))
    drawn[:, 1:] *= np.sqrt(1 - rho**2)
    for t in range(1, options.n_months):
        drawn[:, t] += rho * drawn[:, t - 1]
    return drawn


def _bad(what: str, needed: str, found: str) -> OptionError:
    return OptionError(what=what, needed=needed, found=found, remedy="correct the option")
