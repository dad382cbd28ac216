r"""Randomisation inference on a draw in two stages: shares are drawn again, then persons within markets.

The hypothesis is sharp: nobody's outcome depends on anybody's assignment, their own or others'. Under
it outcomes are known whatever was drawn, so that direct, spillover and total effects are tested
against those of assignments that were possible. A rejection says that assignment mattered; of
spillovers alone, whatever the direct effects, ask `whatworks.spillover_test`.

Where the effects are those of a saturation regression, which is tried on the assignment that
happened, they are worked out anew from sums by market, covariates and strata in the regression each
time, and studentised by their CR1 errors, whatever errors the method prints: the draw itself says how far
the ratio may go. Else the method itself is fitted again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, WhatworksError
from whatworks.estimate.protocol import Estimator
from whatworks.estimate.reassigned.record import RandomisationTest
from whatworks.estimate.reassigned.two_stage import Assigned, TwoStage
from whatworks.estimate.record import Estimate, without_bands
from whatworks.estimate.shares.exposure_regression import exposures_of, levels
from whatworks.stats.assignments import share_as_far
from whatworks.stats.clusters.inversion import ConfidenceSet
from whatworks.stats.displacement.exposures import Exposures
from whatworks.stats.displacement.refits import Refits, market_sums, refitted
from whatworks.vocabulary import Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GROUPS: Final = ("all", "pooled")
TERMS: Final = ("direct", "spillover", "total", "overall")
JOINT: Final = "joint"
SAME: Final = 1e-6
"""Relative gap within which an effect is that of the regression."""
HELD: Final = 2**25
"""Sums held at once: draws times markets times columns."""


@dataclass(frozen=True, slots=True)
class _Tested:
    """Effects of one month and group under the assignment that happened and under others."""

    rows: pd.DataFrame
    fits: Refits


def two_stage_test(
    design: Design,
    estimator: Estimator,
    *,
    assignment: TwoStage,
    months: Sequence[int] | None,
    statistic: str,
    draws: int,
    rng: np.random.Generator,
) -> RandomisationTest:
    """As `whatworks.randomisation`, which calls it; only shares are counted as assignments."""
    if Supply.TAKE_UP in estimator.needs:
        raise DesignRefused(
            what="randomisation",
            needed="a method of the effects of assignment",
            found="one of the effects of taking part, which assignment moves",
            remedy="test the effects of assignment: where they are nil, so are those of taking part",
        )
    assigned = Assigned.of(design, what="randomisation")
    if assigned.n_assignments < 2:
        raise DesignRefused(
            what="randomisation",
            needed="at least two orders of shares among markets that were possible",
            found="one",
            remedy="widen the strata, if shares really were drawn among more markets",
        )
    with without_bands():
        wanted = _wanted(estimator.fit(design), months)
        tested = _by_sums(assigned, wanted, assignment, draws, rng)
        if tested is None:
            tested = _by_fits(assigned, estimator, wanted, assignment, draws, rng)
    return _told(tested, assigned, assignment, statistic=statistic, draws=draws)


def tested_effects(
    assigned: Assigned,
    rows: pd.DataFrame,
    *,
    draws: int,
    rng: np.random.Generator,
) -> RandomisationTest | None:
    """The studentised test of effects of one month and group; None where they are no regression's.

    Parameters
    ----------
    assigned : Assigned
    rows : DataFrame
        Rows of an estimate's effects.
    draws : int
    rng : Generator
    """
    known = rows[rows["term"].isin(TERMS) & rows["estimate"].notna()].reset_index(drop=True)
    if known.empty or assigned.n_assignments < 2:
        return None
    tested = _by_sums(assigned, [known], TwoStage(), draws, rng)
    if tested is None:
        return None
    return _told(tested, assigned, TwoStage(), statistic="studentised", draws=draws)


def _wanted(estimate: Estimate, months: Sequence[int] | None) -> list[pd.DataFrame]:
    """Rows tested, those of one month and group together."""
    rows = estimate.effects
    here = (rows["cohort"] == -1) & rows["term"].isin(TERMS) & rows["group"].isin(GROUPS)
    here &= (rows["month"] >= 0) if months is None else rows["month"].isin(list(months))
    rows = rows[here & rows["estimate"].notna()]
    missing = set(months or ()) - set(rows["month"])
    if rows.empty or missing:
        raise OptionError(
            what="months",
            needed="months in which the method tells direct, spillover or total effects of everyone",
            found=f"{len(missing)} others" if missing else "none from the start on",
            remedy="see .effects of its estimate for what there is",
        )
    parts = rows.groupby(["month", "group"], sort=True)
    return [part.reset_index(drop=True) for _, part in parts]


def _by_sums(
    assigned: Assigned,
    wanted: list[pd.DataFrame],
    assignment: TwoStage,
    draws: int,
    rng: np.random.Generator,
) -> list[_Tested] | None:
    """Effects from sums by market; None where they are not those of the regression."""
    tested = []
    covariates = assigned.covariates
    seeds = rng.integers(2**62, size=2)
    for month in sorted({int(part["month"].iloc[0]) for part in wanted}):
        outcome = assigned.design.outcomes.at(month)[assigned.rows]
        try:
            sums, columns = market_sums(
                outcome, covariates, assigned.weight(month), assigned.market, assigned.stratum
            )
        except DesignRefused:
            return None
        parts = [part for part in wanted if part["month"].iloc[0] == month]
        read = [_reading(exposures_of(assigned, str(p["group"].iloc[0])), p) for p in parts]
        if any(found is None for found in read):
            return None
        exposures = [found for found in read if found is not None]
        seen = assigned.observed(columns)
        first = [
            refitted(sums, e, seen, levels(assigned, e.groups[0], assigned.share[None]))
            for e in exposures
        ]
        for part, fit in zip(parts, first, strict=True):
            if not _same(part, fit):
                return None
        # The same assignments in every month.
        chance = np.random.default_rng(seeds)
        found: list[list[Refits]] = [[fit] for fit in first]
        step = max(1, HELD // (assigned.n_markets * columns.shape[1]))
        for begin in range(0, draws, step):
            share = assigned.orders(min(step, draws - begin), chance)
            again = assigned.redrawn(columns, share, numbers=assignment.numbers, rng=chance)
            for held, e in zip(found, exposures, strict=True):
                held.append(refitted(sums, e, again, levels(assigned, e.groups[0], share)))
        tested += [_Tested(part, _joined(fits)) for part, fits in zip(parts, found, strict=True)]
    return tested


def _reading(exposures: Exposures, part: pd.DataFrame) -> Exposures | None:
    """Only the effects wanted, in their order; None where one is not among those of the regression."""
    there = list(zip(exposures.terms, exposures.groups, strict=True))
    keys = list(zip(part["term"], part["group"], strict=True))
    if not set(keys) <= set(there):
        return None
    return exposures.reading([there.index(key) for key in keys])


def _same(part: pd.DataFrame, fit: Refits) -> bool:
    point = part["estimate"].to_numpy(dtype=float)
    gap = np.abs(fit.effect[0] - point)
    return bool((gap <= SAME * np.maximum(np.abs(point), 1e-9)).all())


def _joined(fits: list[Refits]) -> Refits:
    return Refits(
        effect=np.concatenate([f.effect for f in fits]),
        covariance=np.concatenate([f.covariance for f in fits]),
    )


def _by_fits(
    assigned: Assigned,
    estimator: Estimator,
    wanted: list[pd.DataFrame],
    assignment: TwoStage,
    draws: int,
    rng: np.random.Generator,
) -> list[_Tested]:
    """The method fitted again under each assignment."""
    keys = pd.concat(wanted, ignore_index=True)
    n = len(keys)
    effect, covariance = np.full((1 + draws, n), np.nan), np.full((1 + draws, n, n), np.nan)
    for b in range(1 + draws):
        design = assigned.design
        if b:
            share = assigned.orders(1, rng)[0]
            design = assigned.under(share, assignment.numbers, rng)
        try:
            estimate = estimator.fit(design)
        except WhatworksError:  # this assignment cannot be analysed: counted as being as far out
            continue
        effect[b], covariance[b] = _read(estimate, keys)
    tested, begin = [], 0
    for part in wanted:
        rows = np.arange(begin, begin + len(part))
        begin += len(part)
        fits = Refits(effect=effect[:, rows], covariance=covariance[:, rows[:, None], rows])
        tested.append(_Tested(part, fits))
    return tested


def _read(estimate: Estimate, keys: pd.DataFrame) -> tuple[Floats, Floats]:
    """Effects asked for and their covariance; NaN where this fit lacks one."""
    rows = estimate.effects
    names = ["term", "group", "month"]
    whole = rows[rows["cohort"] == -1].reset_index().set_index(names)["index"]
    at = whole.reindex(pd.MultiIndex.from_frame(keys[names])).to_numpy(dtype=float)
    there = np.isfinite(at)
    place = at[there].astype(np.int64)
    effect = np.full(at.size, np.nan)
    covariance = np.full((at.size, at.size), np.nan)
    effect[there] = rows["estimate"].to_numpy(dtype=float)[place]
    forms = np.zeros((place.size, len(rows)))
    forms[np.arange(place.size), place] = 1.0
    among = np.flatnonzero(there)
    covariance[among[:, None], among] = estimate.uncertainty.combine(forms).covariance()
    return effect, covariance


def _told(
    tested: list[_Tested], assigned: Assigned, assignment: TwoStage, *, statistic: str, draws: int
) -> RandomisationTest:
    rows: list[dict[str, object]] = []
    largest: list[Floats] = []
    undefined = np.zeros(draws, dtype=np.bool_)
    for each in tested:
        values = each.fits.t if statistic == "studentised" else each.fits.effect
        undefined |= np.isnan(values[1:]).any(axis=1)
        rows += [
            _row(
                {name: row[name] for name in ("term", "group", "month", "estimate", "std_error")},
                values[:, k],
                sided=True,
            )
            for k, row in enumerate(each.rows.to_dict("records"))
        ]
        joint = _distance(each, statistic=statistic)
        if joint is not None:
            of = {"term": JOINT, "group": each.rows["group"][0], "month": each.rows["month"][0]}
            rows.append(_row(of | {"estimate": np.nan, "std_error": np.nan}, joint, sided=False))
        values = np.abs(values).max(axis=1) if joint is None else joint
        if each.rows["group"][0] == tested[0].rows["group"][0]:
            largest.append(values)
    whole = np.stack(largest).max(axis=0)
    return RandomisationTest(
        table=pd.DataFrame(rows),
        sets=tuple(ConfidenceSet(intervals=()) for _ in rows),
        p_joint=share_as_far(float(whole[0]), whole[1:], exact=False),
        n_assignments=assigned.n_assignments,
        n_tried=draws,
        exact=False,
        n_undefined=int(undefined.sum()),
        assignment=assignment,
        statistic=statistic,
    )


def _distance(tested: _Tested, *, statistic: str) -> Floats | None:
    """Of direct and spillover effect from zero, in their covariance: each draw's own, or that of draws."""
    terms = list(tested.rows["term"])
    if not {"direct", "spillover"} <= set(terms):
        return None
    two = np.array([terms.index("direct"), terms.index("spillover")])
    if statistic == "studentised":
        return tested.fits.wald(two)
    effect = tested.fits.effect[:, two]
    told = np.isfinite(effect).all(axis=1)
    among = np.cov(effect[told].T)
    if told.sum() < 3 or not np.linalg.det(among) > 0:
        return np.full(effect.shape[0], np.nan)
    return np.asarray(np.einsum("br,rq,bq->b", effect, np.linalg.inv(among), effect))


def _row(of: dict[str, object], values: Floats, *, sided: bool) -> dict[str, object]:
    mine, others = float(values[0]), values[1:]
    nan = float("nan")
    return of | {
        "statistic": mine,
        "p_value": share_as_far(mine, others, exact=False),
        "p_greater": share_as_far(mine, others, exact=False, side="greater") if sided else nan,
        "p_less": share_as_far(mine, others, exact=False, side="less") if sided else nan,
        "conf_low": nan,
        "conf_high": nan,
    }
