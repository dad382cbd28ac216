"""From a rule for weighting donors to an estimate, the same way for every method on territories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from whatworks.design.record import Design
from whatworks.errors import DesignRefused
from whatworks.estimate.aggregation import estimate_of_cells
from whatworks.estimate.record import Estimate
from whatworks.estimate.synthetic.fitting import Fits, Fitter, cells_of
from whatworks.estimate.synthetic.inference import (
    Inferred,
    by_bootstrap,
    by_jackknife,
    by_placebo_draws,
    by_rank,
)
from whatworks.estimate.synthetic.reading import Cohort, Territories
from whatworks.estimate.synthetic.telling import tables

Inference = Literal["auto", "jackknife", "placebo", "bootstrap"]
SEED: Final = 2021


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How effects of a method are judged.

    Parameters
    ----------
    inference : str
        ``"auto"``: ranks among placebos with one treated territory, the jackknife with more.
    draws : int
        Of placebos or of the bootstrap.
    together : bool
        Whether treated territories of a cohort share one synthetic counterpart.
    ratio : bool
        Whether ranks compare effects in units of the error before the start.
    """

    inference: Inference
    draws: int
    together: bool
    ratio: bool


def answer(
    design: Design,
    land: Territories,
    cohorts: Sequence[Cohort],
    fitter: Fitter,
    *,
    method: str,
    options: Mapping[str, Any],
    reading: Reading,
    rng: np.random.Generator | None,
) -> Estimate:
    """Estimate of effects by month since the start over all cohorts, then by cohort."""
    fits = Fits.of(land, cohorts, fitter)
    inferred = _inferred(land, fits, fitter, reading, rng or np.random.default_rng(SEED))
    effects = fits.cohort_paths(fits.paths(land.values))
    return estimate_of_cells(
        cells_of(land, fits, effects, inferred.uncertainty, df=inferred.df),
        method=method,
        options=options,
        unit=design.outcomes.unit,
        ledger=land.ledger,
        extras=tables(land, fits, inferred, fitter),
    )


def _inferred(
    land: Territories, fits: Fits, fitter: Fitter, reading: Reading, rng: np.random.Generator
) -> Inferred:
    alone = fits.rows.size == 1
    how = reading.inference
    if how == "auto":
        how = "placebo" if alone else "jackknife"
    if how == "jackknife":
        return by_jackknife(land, fits, fitter)
    if how == "bootstrap":
        return by_bootstrap(land, fits, fitter, draws=reading.draws, rng=rng)
    if land.untreated.size < 2:
        raise DesignRefused(
            what="inference='placebo'",
            needed="at least two territories never treated",
            found=f"{land.untreated.size}",
            remedy="bring territories that never start",
        )
    if alone:
        return by_rank(land, fits, fitter, ratio=reading.ratio)
    return by_placebo_draws(
        land, fits, fitter, draws=reading.draws, rng=rng, together=reading.together
    )
