"""Participation beside assignment: take-up by cell, and regressions in which assignment is the instrument."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from linearmodels.iv import IV2SLS
from numpy.typing import NDArray

from whatworks.errors import DesignRefused
from whatworks.estimate.shares.cell_regressions import Fitted, Fitting, columns_of, refitted
from whatworks.estimate.shares.responses import share_label
from whatworks.estimate.shares.saturations import EVERYONE, Saturated, weight_of_shares
from whatworks.stats.displacement.absorbed import regress
from whatworks.stats.displacement.contrasts import Cells, saturated
from whatworks.stats.displacement.instrumented import (
    FirstStage,
    Reduced,
    beside,
    first_stages,
    influence,
    reduced,
)
from whatworks.stats.displacement.small_sample import Adjusted, adjusted
from whatworks.stats.displacement.sums import market_sums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OWN: Final = "direct_participants"
OTHERS: Final = "spillover_participation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrumented:
    """Coefficients of participations in one equation, of months in which the same units count.

    Parameters
    ----------
    terms, groups : tuple of str
    weights : ndarray of shape (k,) or None
        What each counts for in the average over shares: its number of markets; None where coefficients
        are over several shares.
    sample : str
        ``"all"``, or a group declared beforehand.
    months : tuple of int
    effect : ndarray of shape (k, n_months)
    influence : ndarray of shape (n_markets, k, n_months)
    stages : tuple of FirstStage
    n_treated, n_comparison : ndarray of int, shape (k,)
    """

    terms: tuple[str, ...]
    groups: tuple[str, ...]
    weights: Floats | None
    sample: str
    months: tuple[int, ...]
    effect: Floats
    influence: Floats
    stages: tuple[FirstStage, ...]
    n_treated: Ints
    n_comparison: Ints


@dataclass(frozen=True, slots=True)
class _Equation:
    """Which participations, and which exposures are held beside them: columns of cells."""

    name: str
    terms: tuple[str, ...]
    shares: tuple[float, ...]
    participations: Floats
    held: Floats


def share_taking_part(units: Saturated) -> Floats:
    r"""Share of each unit's market that takes part, :math:`p\bar D_1+(1-p)\bar D_0`, shape (n,).

    By the share drawn, not that of the sample. Where a market has nobody of an arm, that arm's mean over the
    markets of its share; where no market of the share has, over all.
    """
    if units.took_part is None:
        raise DesignRefused(
            what="participation",
            needed="who took part",
            found="assignment only",
            remedy="name the column of who took part, with took_part=",
        )
    n_cells = units.shares.saturation.size
    share = units.shares.saturation
    found = np.zeros(n_cells)
    for arm, part in ((units.assigned, share), (~units.assigned, 1 - share)):
        mine = np.flatnonzero(arm & units.eligible)
        cell, weight = units.cell[mine], units.weight[mine]
        mass = np.bincount(cell, weights=weight, minlength=n_cells).astype(float)
        taken = weight * units.took_part[mine]
        total = np.bincount(cell, weights=taken, minlength=n_cells).astype(float)
        place = np.unique(share, return_inverse=True)[1]
        shared = [np.bincount(place, sums).astype(float) for sums in (total, mass)]
        of_share = _over(shared[0], shared[1], np.nan)
        overall = float(total.sum() / mass.sum()) if mass.sum() > 0 else 0.0
        of_share = np.where(np.isnan(of_share), overall, of_share)
        found += part * np.where(mass > 0, _over(total, mass, 0.0), of_share[place])
    return np.asarray(found[units.cell])


def _over(top: Floats, below: Floats, otherwise: float) -> Floats:
    return np.asarray(np.divide(top, below, out=np.full(top.size, otherwise), where=below > 0))


def take_up(fits: Sequence[Fitted], units: Saturated, how: Fitting) -> Iterator[Fitted]:
    """The same regressions with participation in place of outcomes."""
    if units.took_part is None:
        return
    for fitted in fits:
        own = units.took_part[fitted.index]
        yield refitted(fitted, np.tile(own[:, None], (1, len(fitted.months))), how)


def instrumented(fits: Sequence[Fitted], units: Saturated, how: Fitting) -> Iterator[Instrumented]:
    """Equations of participation of every sample and month, by two-stage least squares.

    Raises
    ------
    DesignRefused
        When assignment moves no participation.
    """
    others = share_taking_part(units)
    for fitted in fits:
        if fitted.model == "saturated" and fitted.sample.eligible:
            yield from _of_sample(fitted, units, others, how)


def _of_sample(
    fitted: Fitted, units: Saturated, others: Floats, how: Fitting
) -> Iterator[Instrumented]:
    if units.took_part is None:
        return
    own = units.took_part[fitted.index]
    cells = fitted.cells
    q = len(fitted.months)
    equations = list(_equations(cells))
    of_shares = weight_of_shares(units)
    columns = [own * equation.participations[cells.number, j] for equation in equations
               for j in range(equation.participations.shape[1])]  # fmt: skip
    rows = replace(
        fitted.rows,
        outcome=np.column_stack([fitted.rows.outcome, *columns, others[fitted.index]]),
    )
    fit = regress(
        market_sums(rows, squares=how.errors == "CR2"),
        columns_of(saturated(cells).columns, rows),
    )
    held = adjusted(fit, "CR2" if how.errors == "CR2" else "CR1")
    at = q
    for equation in equations:
        k = equation.participations.shape[1]
        endogenous = np.arange(at, at + k)
        at += k
        if equation.name == "participation":
            endogenous = np.append(endogenous, fit.turned.shape[1] - 1)
        found = _solved(held, fitted, equation, endogenous, of_shares=of_shares)
        if found is not None:
            yield found
        elif equation.name != "participation":
            raise DesignRefused(
                what=how.method,
                needed="assignment that moves participation at every share",
                found="a share at which as many take part among the unassigned as among the assigned",
                remedy="check the column of took_part; effects of being assigned need none of it",
            )


def _equations(cells: Cells) -> Iterator[_Equation]:
    """Participation by share, pooled over shares, and with the share of the market that takes part."""
    nan = float("nan")
    both = np.intersect1d(cells.share[cells.assigned], cells.share[~cells.assigned])
    # A share of one arm tells no effect of taking part: its assigned are a cell of their own.
    lone = cells.assigned & ~np.isin(cells.share, both)
    here = cells.share[:, None] == np.unique(cells.share)[None, 1:]
    one = (cells.share[:, None] == both[None, :]).astype(float)
    if both.size:
        yield _Equation("share", (OWN,) * both.size, tuple(both.tolist()), one, here.astype(float))
        yield _Equation(
            "pooled", (OWN,), (nan,), (~lone).astype(float)[:, None], here.astype(float)
        )
    nothing = np.empty((cells.n, 0))
    yield _Equation("participation", (OWN, OTHERS), (nan, nan), np.ones((cells.n, 1)), nothing)


def _solved(
    held: Adjusted,
    fitted: Fitted,
    equation: _Equation,
    endogenous: Ints,
    *,
    of_shares: Mapping[float, float],
) -> Instrumented | None:
    """The equation solved; None where instruments do not move every participation."""
    cells, rows, fit = fitted.cells, fitted.rows, held.fit
    outcome = np.arange(len(fitted.months))
    of = columns_of(equation.held, rows).of
    products = reduced(
        fit,
        endogenous=endogenous,
        outcome=outcome,
        included=of,
        excluded=fit.columns.of[:, : fit.columns.n_exposure],
    )
    if not products.identified:
        return None
    n = fitted.n_units()
    k = endogenous.size
    coefficients = two_stage(products)
    compared = [_compared(cells, n, share) for share in equation.shares]
    weights = None
    if equation.name == "share":
        markets = np.array([of_shares[share] for share in equation.shares])
        weights = markets / markets.sum()
    return Instrumented(
        terms=equation.terms,
        groups=tuple(_label(fitted, equation.name, share) for share in equation.shares),
        weights=weights,
        sample=fitted.sample.label,
        months=fitted.months,
        effect=coefficients[:k],
        influence=influence(held, products, coefficients, endogenous=endogenous, outcome=outcome)[
            :, :k
        ],
        stages=first_stages(held, products, endogenous=endogenous),
        n_treated=np.array([c[0] for c in compared], dtype=np.int64),
        n_comparison=np.array([c[1] for c in compared], dtype=np.int64),
    )


def two_stage(products: Reduced) -> Floats:
    """Coefficients of participations, then of the exogenous, through ``linearmodels``, shape (k + e, q).

    What it reads of rows are their products with the instruments: it is given these, the instruments
    being an orthonormal basis.
    """
    k = products.endogenous.shape[1]
    exogenous = products.exogenous
    instruments = beside(products.excluded, exogenous)
    found = np.empty((k + exogenous.shape[1], products.outcome.shape[1]))
    for j in range(products.outcome.shape[1]):
        model = IV2SLS(
            products.outcome[:, j],
            exogenous if exogenous.shape[1] else None,
            products.endogenous,
            instruments,
        )
        solved = model.fit(cov_type="unadjusted").params.to_numpy()
        found[:, j] = np.concatenate([solved[exogenous.shape[1] :], solved[: exogenous.shape[1]]])
    return found


def _label(fitted: Fitted, name: str, share: float) -> str:
    own = share_label(share) if name == "share" else name
    return own if fitted.sample.label == EVERYONE else f"{fitted.sample.label}@{own}"


def _compared(cells: Cells, n: Ints, share: float) -> tuple[int, int]:
    here = (cells.share > 0) if np.isnan(share) else cells.share == share
    return int(n[here & cells.assigned].sum()), int(n[here & ~cells.assigned].sum())
