r"""Mean outcomes by arm and share of the market assigned: the one shape of methods on displacement.

With :math:`\mu(z,p)` the mean outcome of arm :math:`z` in markets of which the share :math:`p` of the
eligible was assigned,

.. math:: DE(p)=\mu(1,p)-\mu(0,p),\quad SNT(p)=\mu(0,p)-\mu(0,0),\quad TT(p)=\mu(1,p)-\mu(0,0),\quad
          TCE(p)=p\,TT(p)+(1-p)\,SNT(p)

are the terms ``direct``, ``spillover``, ``total`` and ``overall`` of an estimate: what the assigned have
above their unassigned neighbours, what those lose, what the assigned gain, and the gain per eligible
person (Hudgens & Halloran 2008, doi:10.1198/016214508000000292; Baird et al. 2018,
doi:10.1162/REST_a_00716). An effect of help on those helped is never printed without the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from whatworks.errors import OptionError
from whatworks.estimate.record import Estimate, effects_table
from whatworks.ledger import Ledger
from whatworks.stats.displacement.degrees import Degrees
from whatworks.stats.uncertainty import Influence, Uncertainty

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Texts = NDArray[np.object_]

RESPONSES: Final = "responses"
"""Key of an estimate's extras under which its responses lie."""
ASSIGNED: Final = "assigned"
UNASSIGNED: Final = "unassigned"
INELIGIBLE: Final = "ineligible"
"""Arms: those assigned, the eligible who were not, and those who compete but could not be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Further:
    """Effects that are no contrast of cells: pooled over shares, slopes.

    Parameters
    ----------
    term : ndarray of object, shape (n_further,)
        ``direct``, ``spillover``, ``total`` (pooled), or ``slope_assigned``, ``slope_unassigned``.
    group : ndarray of object, shape (n_further,)
        Such as ``"pooled"`` or ``"linear"``.
    month : ndarray of int, shape (n_further,)
    effect : ndarray of shape (n_further,)
    n_treated, n_comparison : ndarray of int, shape (n_further,)
    """

    term: Texts
    group: Texts
    month: Ints
    effect: Floats
    n_treated: Ints
    n_comparison: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Responses:
    r"""Mean outcomes :math:`\mu(z,p)` by arm, share and month.

    Parameters
    ----------
    arm : ndarray of object, shape (n_cells,)
        `ASSIGNED`, `UNASSIGNED` or `INELIGIBLE`.
    saturation : ndarray of shape (n_cells,)
        Share of the market's eligible that were assigned, by design. The pure control is 0.
    month : ndarray of int, shape (n_cells,)
    group : ndarray of object, shape (n_cells,)
        ``"all"``, or a group of units declared beforehand (``"sex=women"``).
    mean : ndarray of shape (n_cells,)
        In the outcome's unit. Where strata or covariates are held, at their sample means.
    n_units, n_markets : ndarray of int, shape (n_cells,)
    uncertainty : Uncertainty
        Of the cells, then of ``further``: ``n_cells + n_further`` terms.
    weight : mapping of float to float
        What each positive share counts for in averages over shares: its number of markets.
    df : float
        Degrees of freedom of intervals.
        Of all effects, the fewest where they differ.
    further : Further, optional
    degrees : Degrees, optional
        Degrees of freedom of any form of cells and of ``further``, where they differ from form to form.
    p_values : bool
        Whether there are markets enough for probabilities other than those of randomisation.
    """

    arm: Texts
    saturation: Floats
    month: Ints
    group: Texts
    mean: Floats
    n_units: Ints
    n_markets: Ints
    uncertainty: Uncertainty
    weight: Mapping[float, float]
    df: float = np.inf
    further: Further | None = None
    degrees: Degrees | None = None
    p_values: bool = True

    @property
    def anchored(self) -> bool:
        """Whether markets in which nobody was assigned are among them."""
        return bool((self.saturation == 0).any())


@dataclass(frozen=True, slots=True)
class _Row:
    """An effect as a linear form of the cells."""

    term: str
    group: str
    month: int
    form: Floats
    n_treated: int
    n_comparison: int


def estimate_of_responses(
    responses: Responses,
    *,
    method: str,
    options: Mapping[str, Any],
    unit: str,
    ledger: Ledger,
    extras: Mapping[str, Any] | None = None,
) -> Estimate:
    """The estimate of a method of this family.

    Returns
    -------
    Estimate
        Terms ``direct``, ``spillover``, ``total``, ``overall`` (and ``spillover_ineligible`` where the
        ineligible are seen): on average over shares that tell them all (``group`` ``"all"``), then by
        share (``"0.25"``), then by group (``"sex=women"``: the average; ``"sex=women@0.25"``), then what
        `Responses.further` holds. Without pure-control markets only ``direct`` is told, and the
        differences between shares are in the responses.
    """
    rows = _rows(responses)
    n_cells = responses.mean.size
    further = responses.further
    n_further = 0 if further is None else further.effect.size
    forms = np.zeros((len(rows) + n_further, n_cells + n_further))
    for at, row in enumerate(rows):
        forms[at, :n_cells] = row.form
    forms[len(rows) :, n_cells:] = np.eye(n_further)
    values = responses.mean if further is None else np.append(responses.mean, further.effect)
    effect = np.array([_combined(form, values) for form in forms])
    uncertainty = responses.uncertainty.combine(forms)
    terms = [
        {
            "term": row.term,
            "cohort": -1,
            "month": row.month,
            "group": row.group,
            "n_treated": row.n_treated,
            "n_comparison": row.n_comparison,
        }
        for row in rows
    ]
    if further is not None:
        terms += [
            {
                "term": str(further.term[i]),
                "cohort": -1,
                "month": int(further.month[i]),
                "group": str(further.group[i]),
                "n_treated": int(further.n_treated[i]),
                "n_comparison": int(further.n_comparison[i]),
            }
            for i in range(n_further)
        ]
    degrees = responses.degrees
    effects = effects_table(
        terms,
        effect,
        uncertainty.covariance(),
        unit=unit,
        df=responses.df if degrees is None else degrees.of(forms),
        influence=uncertainty if isinstance(uncertainty, Influence) else None,
    )
    if not responses.p_values:
        effects["p_value"] = np.nan
    return Estimate(
        method=method,
        options=dict(options),
        effects=effects,
        uncertainty=uncertainty,
        ledger=ledger,
        extras={RESPONSES: responses, **(extras or {})},
    )


def responses_of(estimate: Estimate, *, what: str) -> Responses:
    """Responses of an estimate, or an `OptionError` where its method gives none."""
    found = estimate.extras.get(RESPONSES) if isinstance(estimate, Estimate) else None
    if not isinstance(found, Responses):
        raise OptionError(
            what=what,
            needed="an estimate by arm and share of the market assigned",
            found=f"one of {getattr(estimate, 'method', type(estimate).__name__)}",
            remedy="fit a method for saturations, such as SaturationRegression",
        )
    return found


def share_label(saturation: float) -> str:
    """How a share is written in the column ``group``: ``0.25``."""
    return format(saturation, ".6g")


def _combined(form: Floats, values: Floats) -> float:
    """A linear form of values that are read; those not read may be undefined."""
    read = form != 0
    return float(form[read] @ values[read])


def _rows(responses: Responses) -> list[_Row]:
    """Averages first, then shares, for everyone and then by group."""
    rows: list[_Row] = []
    groups = list(dict.fromkeys(str(g) for g in responses.group))
    months = np.unique(responses.month)
    for group in groups:
        by_share = {
            (int(month), share): _at_share(responses, group=group, month=int(month), share=share)
            for month in months
            for share in sorted(responses.weight)
        }
        for month in months:
            at = {s: by_share[int(month), s] for s in sorted(responses.weight)}
            rows += _averages(responses, at, group=group)
        for rows_of_share in by_share.values():
            rows += rows_of_share
    return rows


def _at_share(responses: Responses, *, group: str, month: int, share: float) -> list[_Row]:
    """Terms that one share identifies."""
    label = share_label(share) if group == "all" else f"{group}@{share_label(share)}"

    def cell(arm: str, saturation: float) -> int | None:
        found = np.flatnonzero(
            (responses.arm == arm)
            & (responses.saturation == saturation)
            & (responses.month == month)
            & (responses.group == group)
        )
        return int(found[0]) if found.size else None

    one, zero, none = cell(ASSIGNED, share), cell(UNASSIGNED, share), cell(UNASSIGNED, 0.0)
    other, other_none = cell(INELIGIBLE, share), cell(INELIGIBLE, 0.0)
    found: list[_Row] = []

    def add(term: str, parts: list[tuple[int, float]], treated: int, comparison: int) -> None:
        form = np.zeros(responses.mean.size)
        for at, weight in parts:
            form[at] += weight
        n = responses.n_units
        found.append(_Row(term, label, month, form, int(n[treated]), int(n[comparison])))

    if one is not None and zero is not None:
        add("direct", [(one, 1.0), (zero, -1.0)], one, zero)
    if none is not None and zero is not None:
        add("spillover", [(zero, 1.0), (none, -1.0)], zero, none)
    if none is not None and one is not None:
        add("total", [(one, 1.0), (none, -1.0)], one, none)
    if none is not None and one is not None and share == 1:
        add("overall", [(one, 1.0), (none, -1.0)], one, none)
    elif none is not None and one is not None and zero is not None:
        add("overall", [(one, share), (zero, 1 - share), (none, -1.0)], one, none)
    if other is not None and other_none is not None:
        add("spillover_ineligible", [(other, 1.0), (other_none, -1.0)], other, other_none)
    return found


def _averages(responses: Responses, at: Mapping[float, list[_Row]], *, group: str) -> list[_Row]:
    """Each term averaged over the shares that tell the same terms, so that direct + spillover = total."""
    told = {share: {row.term for row in rows} for share, rows in at.items()}
    core = {"direct", "spillover", "total"}
    for wanted in (core, {"total"}, {"direct"}, {"spillover"}):
        shares = [share for share, terms in told.items() if wanted <= terms]
        if shares:
            break
    else:
        return []
    # Of one arm alone, a share tells its part only; averages are over the same shares for all terms.
    names = [
        name
        for name in ("direct", "spillover", "total", "overall", "spillover_ineligible")
        if all(name in told[share] for share in shares)
    ]
    mass = sum(responses.weight[share] for share in shares)
    averaged: list[_Row] = []
    for name in names:
        parts = [next(row for row in at[share] if row.term == name) for share in shares]
        weights = [responses.weight[share] / mass for share in shares]
        averaged.append(
            _Row(
                name,
                group,
                parts[0].month,
                np.sum([w * row.form for w, row in zip(weights, parts, strict=True)], axis=0),
                sum(row.n_treated for row in parts),
                max(row.n_comparison for row in parts)
                if name != "direct"
                else sum(row.n_comparison for row in parts),
            )
        )
    return averaged
