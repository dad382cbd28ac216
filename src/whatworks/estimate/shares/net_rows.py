"""Quantities of net effects, each a linear form of cells or the ratio of two, by fit and share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.estimate.record import ROUNDING
from whatworks.estimate.shares.at_shares import (
    LINEAR,
    OF_FIT,
    POOLED,
    Terms,
    at_limit,
    at_share,
    departures,
    participants,
)
from whatworks.estimate.shares.responses import ASSIGNED, UNASSIGNED
from whatworks.stats.bands import FEW_CLUSTERS, critical_value, multiplier_critical_value
from whatworks.stats.displacement.joint import wald_of_forms
from whatworks.stats.displacement.net import AtShare, lost, lost_seen, net, overall
from whatworks.stats.displacement.ratios import RatioSet, ratio_set
from whatworks.stats.intervals import wald
from whatworks.stats.uncertainty import Influence, Uncertainty
from whatworks.vocabulary import Unidentified

Floats = NDArray[np.float64]

LEVELS: Final = ("direct", "spillover", "total", "overall", "net_assigned", "net_pool")
RATIOS: Final = (
    "net_participants",
    "spillover_over_direct",
    "displacement_ratio",
    "structural_displacement",
    "overstatement",
    "cost_per_net_job",
    "break_even_total",
    "break_even_direct",
    "pool_share_at_zero",
)
ELIGIBLE_ONLY: Final = "eligible_only"
EVERYONE_EXPOSED: Final = "everyone_exposed"
SEEN: Final = "seen"
POOLS: Final = (ELIGIBLE_ONLY, EVERYONE_EXPOSED, SEEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What an evaluator brings; ``scale`` brings effects to 100 persons."""

    cost: float
    value: float
    scale: float
    pool_share: float
    df: float


@dataclass(frozen=True, slots=True)
class Row:
    """A quantity as one form, or as the ratio of two; a form that the data do not tell is None."""

    quantity: str
    over: Floats | None
    under: Floats | None = None
    pool: str = ""

    @property
    def missing(self) -> bool:
        """Whether the data do not tell it."""
        return self.over is None or (self.quantity in RATIOS and self.under is None)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands: fit, share, and how the share was read."""

    fit: str
    share: float
    read: str
    code: str


def found_at(terms: Terms, fit: str, share: float) -> Iterable[tuple[AtShare, str]]:
    """Effects of a fit at a share, once; nothing where the estimate has no such fit."""
    found = at_share(terms, fit, share)
    return () if found is None else (found,)


def why_missing(terms: Terms, here: AtShare, read: str) -> str:
    """Why cells do not tell everything at a share: one arm there, or beyond the last share of an arm."""
    if read == OF_FIT or (here.total is not None and here.spillover is not None):
        return ""
    met = [terms.cell(arm, here.share) is not None for arm in (ASSIGNED, UNASSIGNED)]
    return str(Unidentified.ONE_ARM_CELL if any(met) else Unidentified.EXTRAPOLATED_P)


def rows_of(terms: Terms, here: AtShare, *, fit: str, money: Money) -> Iterable[Row]:
    """Everything one fit says at one share."""
    limit, took = at_limit(terms, fit), participants(terms, here.share)
    cost_of = took if terms.take_up else terms.one  # without take-up, all assigned are participants
    yield Row("direct", here.direct)
    yield Row("spillover", here.spillover)
    yield Row("total", here.total)
    yield Row("overall", overall(here))
    yield Row("spillover_over_direct", _times(-1.0, here.spillover), here.direct)
    seen_nil = _times(here.share, here.direct)
    yield Row("pool_share_at_zero", _times(-1.0, here.spillover), seen_nil)
    for pool, taken in _taken(here, money.pool_share).items():
        left = net(here, taken, scale=money.scale)
        alone = _times(money.scale, limit)
        if pool == ELIGIBLE_ONLY:
            yield Row("net_assigned", left)
            if terms.take_up:
                yield Row("net_participants", left, took)
        if np.isfinite(money.pool_share):
            yield Row("net_pool", left, pool=pool)
        yield Row("displacement_ratio", taken, here.total, pool)
        yield Row("structural_displacement", _less(alone, left), alone, pool)
        yield Row("overstatement", _times(money.scale, here.direct), left, pool)
        if np.isfinite(money.cost):
            each = _times(money.cost, cost_of)
            yield Row("cost_per_net_job", each, _times(0.01, left), pool)
    if np.isfinite([money.cost, money.value]).all():
        each, worth = _times(money.cost, cost_of), money.value * money.scale / 100
        for quantity, gain in (("break_even_total", here.total), ("break_even_direct", limit)):
            yield Row(quantity, _less(_times(worth, gain), each), _times(worth, gain))


def _taken(here: AtShare, omega: float) -> dict[str, Floats | None]:
    """What others lose: the eligible alone, and the rest of the pool where its size is known."""
    if np.isnan(omega):
        return {ELIGIBLE_ONLY: lost(here)}
    found = {
        ELIGIBLE_ONLY: lost(here),
        EVERYONE_EXPOSED: lost(here, pool_share=omega, exposure=1.0),
    }
    if here.ineligible is not None:
        found[SEEN] = lost_seen(here, pool_share=omega)
    return found


def set_of(terms: Terms, row: Row, money: Money) -> RatioSet:
    """Set of a ratio from the joint covariance of its two forms."""
    if row.over is None or row.under is None:
        return ratio_set(np.nan, np.nan, np.full((2, 2), np.nan))
    both = np.vstack([row.over, row.under])
    covariance = terms.uncertainty.combine(both).covariance()
    return ratio_set(terms.value(row.over), terms.value(row.under), covariance, df=money.df)


def level_rows(
    rows: Sequence[tuple[Place, Row]], effect: Floats, uncertainty: Uncertainty, df: float
) -> list[tuple[object, ...]]:
    """Rows of what is linear: interval of Student's t, and band joint over the shares of a curve."""
    covariance = uncertainty.covariance()
    variance = np.diag(covariance)
    error = np.sqrt(np.where(variance > 0, variance, np.nan))
    error = np.where(error > ROUNDING * np.abs(effect), error, np.nan)
    interval = wald(effect, error, df=df)
    reach = _joint(rows, uncertainty, error, df) * error
    made: list[tuple[object, ...]] = []
    for k, (place, row) in enumerate(rows):
        kind = "interval" if np.isfinite(error[k]) else "undefined"
        ends = (kind, float(interval.low[k]), float(interval.high[k]))
        band = (effect[k] - reach[k], effect[k] + reach[k], np.nan, np.nan)
        made.append((*_head(place, row), effect[k], error[k], *ends, *band, *_foot(place, row)))
    return made


def _joint(
    rows: Sequence[tuple[Place, Row]], uncertainty: Uncertainty, error: Floats, df: float
) -> Floats:
    """Standard errors on each side of the band of each row's curve."""
    curves: dict[tuple[str, str, str], list[int]] = {}
    for k, (place, row) in enumerate(rows):
        if np.isfinite(error[k]):
            curves.setdefault((place.fit, row.quantity, row.pool), []).append(k)
    critical = np.full(len(rows), np.nan)
    for curve in curves.values():
        among = uncertainty.combine(np.eye(len(rows))[curve])
        critical[curve] = critical_value(among.covariance(), df=df)
        if isinstance(among, Influence) and 1 < among.cluster.size < FEW_CLUSTERS:
            critical[curve] = np.maximum(critical[curve], multiplier_critical_value(among.values))
    return critical


def lack_of_fit(terms: Terms, df: float) -> pd.DataFrame:
    """Whether the fits that smooth over shares hold, by a Wald test on cells.

    Columns ``fit, statistic, df1, df2, p_value``; NaN where the cells leave nothing to test.
    """
    rows = []
    for fit in (POOLED, LINEAR):
        if at_limit(terms, fit) is None:
            continue
        found = wald_of_forms(
            departures(terms, fit), terms.values, terms.uncertainty.covariance(), df=df
        )
        rows.append((fit, found.statistic, int(found.df), found.df_residual, found.p_value))
    return pd.DataFrame(rows, columns=["fit", "statistic", "df1", "df2", "p_value"])


def ratio_row(place: Place, row: Row, found: RatioSet) -> tuple[object, ...]:
    """Row of a ratio: its set, and its point where the denominator is told from zero."""
    ends = (found.kind, found.low, found.high, *(np.nan,) * 2, found.numerator, found.denominator)
    code = ""
    if not row.missing and found.kind != "undefined" and not found.separated:
        code = str(Unidentified.DENOMINATOR_NOT_SEPARATED)
    read, missing = _foot(place, row)
    return (*_head(place, row), found.point, np.nan, *ends, read, missing or code)


def _head(place: Place, row: Row) -> tuple[object, ...]:
    return place.fit, row.quantity, place.share, row.pool


def _foot(place: Place, row: Row) -> tuple[str, str]:
    return place.read, place.code if row.missing else ""


def _times(factor: float, form: Floats | None) -> Floats | None:
    return None if form is None else factor * form


def _less(one: Floats | None, other: Floats | None) -> Floats | None:
    return None if one is None or other is None else one - other
