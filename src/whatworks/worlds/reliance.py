r"""A trial and the comparison a département would have had without it, on the same file.

Modelled on Reliance, a trial of 2018 to 2022 among lone parents on the RSA for two years or more, in
Nancy, and on the within-study comparison that Heim made with it: no effect on average on work after the
programme, less work at first, participants who look better only because of who they are, and a doubly
robust difference in differences whose interval leaves the experimental estimate out. Those findings fix
the shape of this world; its figures are our own and none is the trial's.

Month by month, the chance of being in work of person :math:`i` is, in points of a hundred,

.. math:: 100\,P_{it} = a_i + \gamma_t + r_i\,1\{t \ge s_i\}\min\big((t-s_i+1)/m,1\big)
                      + D_i\,\theta_{t-g}

:math:`a_i` is a level that covariates tell in part; :math:`r_i` is readiness: in month :math:`s_i` such a
person begins to go back to work, helped or not. In the trial, help :math:`D` is drawn among all who were
invited: readiness is as frequent in both arms. Without it, those who come forward at :math:`g` are mostly
those who are ready *then*: :math:`s_i=g`. Nothing distinguishes them before, in level given covariates or
in trend, and no history could. Parallel trends fail at the start itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.errors import OptionError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NEVER: Final = 0
"""``first_treated`` of whoever is not helped."""
COLUMNS: Final = ("age", "children", "diploma", "months_on_rsa")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliance:
    r"""Options of a world of a trial and of those who would have come forward.

    Parameters
    ----------
    seed : int
    n_invited : int
        Persons of the trial, half of them helped.
    n_eligible : int
        Persons among whom some come forward where nothing is drawn.
    n_before, n_after : int
        Months before the start, and from it on.
    lock_in : float
        :math:`\theta` while the programme lasts, in points.
    programme : int
        Months it lasts.
    effect : float
        :math:`\theta` afterwards.
    ready_share : float
        Share of persons who are about to go back to work in the month of the start.
    readiness : float
        :math:`r`, in points, reached after :math:`m` months.
    ramp : int
        :math:`m`.
    forward_ready, forward_other : float
        Chance of coming forward of those who are ready and of others.
    """

    seed: int = 0
    n_invited: int = 1_600
    n_eligible: int = 6_000
    n_before: int = 12
    n_after: int = 18
    lock_in: float = -3.0
    programme: int = 6
    effect: float = 0.0
    ready_share: float = 0.2
    readiness: float = 30.0
    ramp: int = 6
    forward_ready: float = 0.45
    forward_other: float = 0.12

    def __post_init__(self) -> None:
        for name in ("ready_share", "forward_ready", "forward_other"):
            if not 0 <= getattr(self, name) <= 1:
                raise _bad(name, "a share from 0 to 1", str(getattr(self, name)))
        for name in ("n_before", "n_after", "programme", "ramp"):
            if getattr(self, name) < 1:
                raise _bad(name, "at least 1", str(getattr(self, name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RelianceWorld:
    """One draw.

    Parameters
    ----------
    options : Reliance
    trial, registers : DataFrame
        ``person_id, month, first_treated, in_work`` (0 or 100) and the covariates, one row per person
        and month, months from 1, ready for ``Design.from_panel``. In ``trial`` help was drawn; in
        ``registers`` persons came forward.
    """

    options: Reliance
    trial: pd.DataFrame
    registers: pd.DataFrame

    @property
    def start(self) -> int:
        """Month of the start."""
        return self.options.n_before + 1

    def trial_at(self, month: int) -> pd.DataFrame:
        """The trial as one row per person: in work so many months after the start, and the arm."""
        rows = self.trial[self.trial["month"] == self.start + month]
        helped = (rows["first_treated"] != NEVER).astype(int)
        return rows.assign(helped=helped).drop(columns=["first_treated"]).reset_index(drop=True)


def simulate_reliance(options: Reliance | None = None) -> RelianceWorld:
    """Draw the persons of the trial, those of the registers, and their months in work.

    Examples
    --------
    >>> world = simulate_reliance(Reliance(n_invited=100, n_eligible=200))
    >>> world.trial.shape, world.start
    ((3000, 8), 13)
    """
    options = options or Reliance()
    rng = np.random.Generator(np.random.PCG64(options.seed))
    invited = _persons(options.n_invited, rng)
    drawn = np.zeros(options.n_invited, dtype=bool)
    drawn[rng.permutation(options.n_invited)[: options.n_invited // 2]] = True
    trial = _months(options, invited, drawn, rng.random(options.n_invited), rng)
    eligible = _persons(options.n_eligible, rng)
    mark = rng.random(options.n_eligible)
    ready = mark < options.ready_share
    chance = np.where(ready, options.forward_ready, options.forward_other)
    # Fewer children at home make coming forward easier: covariates matter, and are held.
    chance = chance * (1.3 - 0.2 * eligible["children"].to_numpy())
    forward = rng.random(options.n_eligible) < chance
    registers = _months(options, eligible, forward, mark, rng)
    return RelianceWorld(options=options, trial=trial, registers=registers)


def reliance_truth(options: Reliance | None = None) -> pd.DataFrame:
    """Effect of the programme by months since the start, the same for everyone: ``month, value``."""
    options = options or Reliance()
    months = np.arange(options.n_after)
    return pd.DataFrame({"month": months, "value": _effect(options, months)})


def _effect(options: Reliance, months: NDArray[np.int64]) -> Floats:
    after = np.where(months < options.programme, options.lock_in, options.effect)
    return np.where(months >= 0, after, 0.0)


def _persons(n: int, rng: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": rng.integers(22, 50, n),
            "children": rng.integers(1, 4, n),
            "diploma": (rng.random(n) < 0.3).astype(int),
            "months_on_rsa": 24 + rng.geometric(1 / 30, n),
        }
    )


def _months(
    options: Reliance,
    persons: pd.DataFrame,
    helped: Bools,
    mark: Floats,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Months in work: long table, one row per person and month."""
    n, t = len(persons), options.n_before + options.n_after
    start = options.n_before + 1
    months = np.arange(1, t + 1)
    level = (
        14.0
        + 6.0 * persons["diploma"].to_numpy()
        - 2.0 * (persons["children"].to_numpy() - 2)
        - 0.03 * (persons["months_on_rsa"].to_numpy() - 54)
        + rng.normal(0.0, 2.0, n)
    )
    season = 1.0 * np.sin(2 * np.pi * months / 12)
    reached = np.clip((months - start + 1) / options.ramp, 0.0, 1.0)
    ready = (mark < options.ready_share)[:, None] * options.readiness * reached
    gained = helped[:, None] * _effect(options, months - start)
    chance = np.clip(level[:, None] + season + ready + gained, 0.5, 99.5)
    in_work = 100.0 * (rng.random((n, t)) < chance / 100.0)
    table = {
        "person_id": np.repeat(np.arange(n), t),
        "month": np.tile(months, n),
        "first_treated": np.repeat(np.where(helped, start, NEVER), t),
        "in_work": in_work.ravel(),
    }
    return pd.DataFrame(table | {c: np.repeat(persons[c].to_numpy(), t) for c in COLUMNS})


def _bad(what: str, needed: str, found: str) -> OptionError:
    return OptionError(what=what, needed=needed, found=found, remedy="correct the option")
