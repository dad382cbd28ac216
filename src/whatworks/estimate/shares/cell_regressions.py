"""Regressions on cells of arm and share, for every sample and month, as one set of responses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, DisplacementRefused
from whatworks.estimate.shares.responses import (
    ASSIGNED,
    INELIGIBLE,
    UNASSIGNED,
    share_label,
)
from whatworks.estimate.shares.saturations import (
    EVERYONE,
    Months,
    Sample,
    Saturated,
    months_of,
    samples_of,
    to_design,
)
from whatworks.stats.displacement.absorbed import (
    Absorbed,
    Columns,
    Forms,
    regress,
)
from whatworks.stats.displacement.contrasts import (
    Cells,
    Model,
    cells_of,
    linear,
    pooled,
    saturated,
    together,
)
from whatworks.stats.displacement.small_sample import Adjusted, Kind, adjusted
from whatworks.stats.displacement.sums import MarketSums, Rows, market_sums
from whatworks.vocabulary import Unidentified

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Errors = Literal["CR1", "CR2", "CR3", "HC1"]
ERRORS: Final = ("CR1", "CR2", "CR3", "HC1")
RESTRICTED: Final = {"pooled": pooled, "linear": linear, "together": together}
ROWS_AT_ONCE: Final = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitting:
    """How cells are fitted.

    Parameters
    ----------
    method : str
        Who asks, for messages.
    errors : str
        One of `ERRORS`.
    interacted, by_design : bool
        Covariates times exposures; weights brought to the shares drawn.
    restricted : tuple of str
        Regressions beside that on all cells, of `RESTRICTED`.
    """

    method: str
    errors: Errors
    interacted: bool
    by_design: bool
    restricted: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """One regression of one sample, of months in which the same units count.

    Parameters
    ----------
    sample : Sample
    months : tuple of int
    model : str
        ``"saturated"``, or a key of `RESTRICTED`.
    cells : Cells
    terms : tuple of str
    shares : ndarray of shape (n_terms,)
    fit : Absorbed
    forms : Forms
        What each term is.
    adjusted : Adjusted or None
        None for errors that are not by market.
    rows : Rows
    index : ndarray of int, shape (n_rows,)
        Position of each row among units sorted by market.
    """

    sample: Sample
    months: tuple[int, ...]
    model: str
    cells: Cells
    terms: tuple[str, ...]
    shares: Floats
    fit: Absorbed
    forms: Forms
    adjusted: Adjusted | None
    rows: Rows
    index: Ints

    def arm(self, term: int) -> str:
        """Arm of a cell."""
        if not self.sample.eligible:
            return INELIGIBLE
        return ASSIGNED if self.cells.assigned[term] else UNASSIGNED

    def n_units(self) -> Ints:
        """Units of each cell."""
        return np.bincount(self.rows.cell, minlength=self.cells.n).astype(np.int64)

    def n_markets(self) -> Ints:
        """Markets of each cell."""
        key = np.unique(self.rows.cell * np.int64(self.rows.n_markets) + self.rows.market)
        return np.bincount(key // self.rows.n_markets, minlength=self.cells.n).astype(np.int64)

    def label(self, term: int) -> str:
        """Group of a term that is no cell: ``"pooled"``, ``"sex=women@pooled"``."""
        share = self.shares[term]
        own = self.model if np.isnan(share) else f"{self.model}@{share_label(float(share))}"
        return own if self.sample.label == EVERYONE else f"{self.sample.label}@{own}"

    def compared(self, term: int) -> tuple[int, int]:
        """Units on either side of a term that is no cell."""
        n, cells = self.n_units(), self.cells
        share = self.shares[term]
        here = cells.share > 0 if np.isnan(share) else cells.share == share
        one, zero, none = here & cells.assigned, here & ~cells.assigned, cells.share == 0
        sides = {
            "spillover": (zero, none),
            "total": (one, none),
            "overall": (here, none),
        }.get(self.terms[term], (one, ~cells.assigned if self.model == "linear" else zero))
        return int(n[sides[0]].sum()), int(n[sides[1]].sum())


def combined(forms: Forms, weights: Floats) -> Forms:
    """Linear combinations of forms, weights of shape (n_new, r)."""
    return Forms(coefficients=weights @ forms.coefficients, level=weights @ forms.level)


def fit_all(design: Design, units: Saturated, by: Sequence[str], how: Fitting) -> list[Fitted]:
    """Every regression, of every sample and month.

    Raises
    ------
    DisplacementRefused
        ``P_COLLINEAR`` when covariates or strata determine who is exposed.
    DesignRefused
        When a group is met at one share only, or CR2 and CR3 meet strata that split markets.
    """
    samples = samples_of(design, units, by)
    return [
        fitted
        for months in months_of(design, units)
        for sample in samples
        for fitted in _fit(units, sample, months, how)
    ]


def _fit(units: Saturated, sample: Sample, months: Months, how: Fitting) -> list[Fitted]:
    weight = units.weight * months.counted
    if how.by_design and sample.eligible:
        weight = to_design(units, weight, sample.rows & (weight > 0))
    index = np.flatnonzero(sample.rows & (weight > 0))
    cells = cells_of(units.assigned[index] & sample.eligible, units.share[index])
    if np.unique(cells.share).size < 2:
        raise DesignRefused(
            what=f"{how.method}, {sample.label}",
            needed="outcomes of markets of several shares, in every group and month",
            found="those of one share" if index.size else "none",
            remedy="merge the group with another, or leave that month out",
        )
    rows = Rows(
        cell=cells.number,
        n_cells=cells.n,
        covariates=units.covariates[index],
        outcome=months.values[index],
        weight=weight[index],
        market=units.market[index],
        n_markets=units.n_markets,
        stratum=units.stratum[index],
        interacted=how.interacted,
    )
    sums = market_sums(rows, squares=how.errors == "CR2")
    _strata_hold_markets(sums, rows, how)
    models: list[tuple[str, Model]] = [("saturated", saturated(cells))]
    for name in how.restricted if sample.eligible else ():
        model = RESTRICTED[name](cells)
        if model is not None:
            models.append((name, model))
    return [
        _one(rows, sums, model, how, sample=sample, months=months, cells=cells, index=index, name=n)
        for n, model in models
    ]


def _strata_hold_markets(sums: MarketSums, rows: Rows, how: Fitting) -> None:
    met = np.bincount(rows.market, minlength=rows.n_markets) > 0
    if how.errors in ("CR2", "CR3") and (sums.stratum[met] < 0).any():
        raise DesignRefused(
            what=f"{how.method}(errors={how.errors!r})",
            needed="strata that hold whole markets",
            found=f"{int((sums.stratum[met] < 0).sum())} markets with units of several strata",
            remedy="choose errors='CR1', or give the strata among which shares were drawn",
        )


def _one(  # noqa: PLR0913 - one fit is of one model, on one sample, in some months
    rows: Rows,
    sums: MarketSums,
    model: Model,
    how: Fitting,
    *,
    sample: Sample,
    months: Months,
    cells: Cells,
    index: Ints,
    name: str,
) -> Fitted:
    fit = regress(sums, columns_of(model.columns, rows))
    if not fit.exposed:
        raise DisplacementRefused(
            code=Unidentified.P_COLLINEAR,
            what=f"{how.method}, {sample.label}",
            needed="covariates and strata that do not determine exposure",
            found=f"columns of exposure that they determine, in the {name} regression",
            remedy="leave out covariates constant within shares, or merge strata",
        )
    k = fit.columns.of.shape[1]
    wide = np.zeros((model.forms.shape[0], k))
    wide[:, : model.forms.shape[1]] = model.forms
    level = np.zeros(wide.shape[0])
    if name == "saturated":
        base = fit.base()
        wide, level = wide + base.coefficients, level + base.level
    kind: Kind | None = None if how.errors == "HC1" else how.errors
    return Fitted(
        sample=sample,
        months=months.months,
        model=name,
        cells=cells,
        terms=model.terms,
        shares=model.shares,
        fit=fit,
        forms=Forms(coefficients=wide, level=level),
        adjusted=None if kind is None else adjusted(fit, kind),
        rows=rows,
        index=index,
    )


def refitted(fitted: Fitted, outcome: Floats, how: Fitting) -> Fitted:
    """A regression on cells, of other outcomes of the same rows.

    Parameters
    ----------
    fitted : Fitted
    outcome : ndarray of shape (n_rows, n_months)
    how : Fitting
    """
    rows = replace(fitted.rows, outcome=outcome)
    fit = regress(market_sums(rows, squares=how.errors == "CR2"), fitted.fit.columns)
    kind: Kind | None = None if how.errors == "HC1" else how.errors
    return replace(
        fitted, rows=rows, fit=fit, adjusted=None if kind is None else adjusted(fit, kind)
    )


def columns_of(exposure: Floats, rows: Rows) -> Columns:
    """Columns of a regression whose exposures are functions of the cell.

    Parameters
    ----------
    exposure : ndarray of shape (n_cells, k)
    rows : Rows
    """
    p, k = rows.covariates.shape[1], exposure.shape[1]
    inter = k * p if rows.interacted else 0
    of = np.zeros((rows.width, k + p + inter))
    of[: rows.n_cells, :k] = exposure
    of[rows.n_cells : rows.n_cells + p, k : k + p] = np.eye(p)
    if inter:
        of[rows.n_cells + p :, k + p :] = np.kron(exposure, np.eye(p))
    return Columns(of=of, n_exposure=k, n_covariates=p)


def repeated(fits: Sequence[Fitted], names: Sequence[str]) -> tuple[str, ...]:
    """Covariates left out of the regression of everyone, as strata or others before say the same."""
    whole = next(f for f in fits if f.model == "saturated")
    first = whole.fit.columns.n_exposure
    kept = set(whole.fit.kept.tolist())
    return tuple(name for j, name in enumerate(names) if first + j not in kept)
