"""Standard errors and bands of a rollout's effects, redrawn rather than read off a covariance."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral

import numpy as np

from whatworks.errors import OptionError, choice
from whatworks.estimate.aggregation import estimate_of_cells
from whatworks.estimate.cells import cells_of
from whatworks.estimate.record import Estimate
from whatworks.stats.multipliers import LAWS, redrawn

FEWEST = 100
"""Draws below which quartiles and tails say nothing."""


def bootstrap(
    estimate: Estimate,
    *,
    draws: int = 1_000,
    multipliers: str = "rademacher",
    rng: np.random.Generator | None = None,
) -> Estimate:
    """The same effects with errors and joint bands by multiplier bootstrap; nothing is fitted again.

    Influences are redrawn cluster by cluster, persons or markets as the estimate has them, and so is
    whatever `whatworks.aggregate` makes of the answer. Bands are never narrower than intervals.

    Parameters
    ----------
    estimate : Estimate
        Of a method that gives effects by cohort and period.
    draws : int
        At least 100.
    multipliers : str
        ``"rademacher"``, ``"mammen"``, ``"webb"`` (six points, for few clusters) or ``"normal"``, the
        only one where persons are too many for their influences to be held: its law is then drawn from
        the covariance, exactly.
    rng : Generator, optional
        By default seeded, so that the answer is always the same.

    Returns
    -------
    Estimate
        ``extras["bootstrap"]`` holds draws and multipliers.

    Raises
    ------
    OptionError
        When the estimate has no cells, draws are too few, or multipliers cannot be applied.
    """
    choice(multipliers, LAWS, what="multipliers")
    if not _is_whole(draws) or draws < FEWEST:
        raise OptionError(
            what="draws",
            needed=f"{FEWEST} or more",
            found=repr(draws),
            remedy="ask for 1,000: they cost less than the fit",
        )
    cells = cells_of(estimate, what="bootstrap")
    chance = np.random.default_rng(0) if rng is None else rng
    uncertainty = redrawn(cells.uncertainty, draws=draws, law=multipliers, rng=chance)
    return estimate_of_cells(
        replace(cells, uncertainty=uncertainty),
        method=estimate.method,
        options=estimate.options,
        unit=str(estimate.effects["unit"].iloc[0]),
        ledger=estimate.ledger,
        extras={**estimate.extras, "bootstrap": {"draws": draws, "multipliers": multipliers}},
    )


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral)
