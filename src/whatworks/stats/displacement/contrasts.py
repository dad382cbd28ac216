r"""Contrasts of a two-stage randomised saturation, as columns of one regression.

With assignment :math:`Z_i`, saturation :math:`p_c` of the market and the pure control
:math:`p_c=0` left out,

.. math:: Y_i = \alpha + \sum_t \delta_t 1\{p_c=t\} + \sum_t \beta_t Z_i 1\{p_c=t\} + X_i'\gamma + u_i

so that :math:`\beta_t` is the direct effect DE(t), :math:`\delta_t` the spillover SNT(t) and
:math:`\beta_t+\delta_t` the total TT(t) (Crépon et al. 2013, doi:10.1093/qje/qjt001; Baird et al. 2018,
doi:10.1162/REST_a_00716).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Columns of a saturation regression and the linear forms to be read off it.

    Parameters
    ----------
    columns : ndarray of shape (n, n_coefficients)
        Exposure columns only; the caller adds the constant, strata and covariates after them.
    forms : ndarray of shape (n_terms, n_coefficients)
        Each term as a combination of coefficients.
    terms : tuple of str
        ``direct``, ``spillover`` or ``total``.
    levels : ndarray of shape (n_terms,)
        The saturation a term belongs to; NaN when it is over several.
    """

    columns: Floats
    forms: Floats
    terms: tuple[str, ...]
    levels: Floats


def pooled(treated: NDArray[np.bool_], saturation: Floats) -> Contrast:
    """One direct and one spillover coefficient over all positive shares, as papers print them.

    Treated units come mostly from markets of high share and untreated ones from markets of low
    share: when spillovers differ by share, the pooled direct effect is not an average of DE(t).
    """
    return _contrast(treated, [(float("nan"), saturation > 0)])


def saturated(treated: NDArray[np.bool_], saturation: Floats) -> Contrast:
    """Coefficients of their own for every positive share.

    A share with one arm only in the sample identifies what that arm tells: its total when all are
    treated, its spillover when none is.

    Parameters
    ----------
    treated : ndarray of bool, shape (n,)
    saturation : ndarray of shape (n,)
        Share assigned by design in the unit's market.
    """
    shares = np.unique(saturation[saturation > 0])
    return _contrast(treated, [(float(t), saturation == t) for t in shares])


def average(contrast: Contrast, *, markets: dict[float, int]) -> tuple[Floats, tuple[str, ...]]:
    """Forms of the average of each term over shares, weighted by their number of markets.

    The three terms are averaged over the same shares, those that identify all three, so that the
    total is the sum of the other two; where no share does, over those that identify the total.

    Returns
    -------
    forms : ndarray of shape (n_averages, n_coefficients)
    terms : tuple of str
    """
    by_share: dict[float, dict[str, int]] = {}
    for row, (term, level) in enumerate(zip(contrast.terms, contrast.levels, strict=True)):
        by_share.setdefault(float(level), {})[term] = row
    complete = {level: rows for level, rows in by_share.items() if len(rows) == 3}
    terms: tuple[str, ...] = ("direct", "spillover", "total")
    if not complete:
        complete = {level: rows for level, rows in by_share.items() if "total" in rows}
        terms = ("total",)
    total = sum(markets[level] for level in complete)
    forms = np.array(
        [
            sum(
                contrast.forms[rows[term]] * (markets[level] / total)
                for level, rows in complete.items()
            )
            for term in terms
        ]
    )
    return forms, terms


def _contrast(
    treated: NDArray[np.bool_], exposed: list[tuple[float, NDArray[np.bool_]]]
) -> Contrast:
    columns: list[NDArray[np.bool_]] = []
    reads: list[tuple[str, float, tuple[int, ...]]] = []
    for level, here in exposed:
        at = len(columns)
        some_treated, some_not = (here & treated).any(), (here & ~treated).any()
        if some_treated and some_not:
            columns += [here & treated, here]
            reads += [
                ("direct", level, (at,)),
                ("spillover", level, (at + 1,)),
                ("total", level, (at, at + 1)),
            ]
        else:
            columns += [here]
            reads += [("total" if some_treated else "spillover", level, (at,))]
    forms = np.zeros((len(reads), len(columns)))
    for row, (_, _, chosen) in enumerate(reads):
        forms[row, list(chosen)] = 1.0
    return Contrast(
        columns=np.column_stack(columns).astype(float),
        forms=forms,
        terms=tuple(r[0] for r in reads),
        levels=np.array([r[1] for r in reads]),
    )
