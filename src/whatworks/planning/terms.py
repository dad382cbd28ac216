r"""Terms of a trial as linear forms of the means of its cells, and how sure those will be.

Terms are those of every method on displacement (`whatworks.estimate.shares.responses`): ``direct``,
``spillover``, ``total``, ``overall``, and ``net``, jobs per 100 participants, :math:`100\,TCE(p)/p` over
take-up. The net of the eligible only; where the ineligible are observed too, what they lose is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.estimate.shares.responses import share_label
from whatworks.planning.assumed import Assumed
from whatworks.planning.trial import Trial
from whatworks.stats.planning.varying_sizes import CellVariance, cell_variance

Floats = NDArray[np.float64]
ASSIGNED, UNASSIGNED, INELIGIBLE = 0, 1, 2
"""Arms of cells."""
JOBS: Final = "jobs per 100"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrasts:
    """Terms as linear forms of cell means.

    Parameters
    ----------
    terms, groups : tuple of str
    forms : ndarray of shape (n_terms, n_cells)
    arm, share : ndarray of int, shape (n_cells,)
        Arm of each cell, and number of its share.
    """

    terms: tuple[str, ...]
    groups: tuple[str, ...]
    forms: Floats
    arm: NDArray[np.int64]
    share: NDArray[np.int64]


def contrasts_of(
    trial: Trial, assumed: Assumed, *, allocation: Sequence[float] | None = None
) -> Contrasts:
    """Terms that the shares of a trial identify, as forms of the means of its cells."""
    shares = trial.shares
    part = dict(zip(shares, trial.allocation if allocation is None else allocation, strict=True))
    cells = [
        (arm, k)
        for k, share in enumerate(shares)
        for arm in (ASSIGNED, UNASSIGNED, INELIGIBLE)
        if (arm == ASSIGNED and share > 0)
        or (arm == UNASSIGNED and share < 1)
        or (arm == INELIGIBLE and assumed.ineligible)
    ]
    at = {cell: i for i, cell in enumerate(cells)}
    by_share = {
        share: _forms_at(share, k, at, assumed, n_cells=len(cells), anchored=shares[0] == 0)
        for k, share in enumerate(shares)
        if share > 0
    }
    rows = [(term, "all", form) for term, form in _averages(by_share, part)]
    rows += [(t, share_label(p), form) for p, told in by_share.items() for t, form in told.items()]
    return Contrasts(
        terms=tuple(term for term, _, _ in rows),
        groups=tuple(group for _, group, _ in rows),
        forms=np.array([form for _, _, form in rows]),
        arm=np.array([arm for arm, _ in cells]),
        share=np.array([k for _, k in cells]),
    )


def _forms_at(
    share: float,
    k: int,
    at: dict[tuple[int, int], int],
    assumed: Assumed,
    *,
    n_cells: int,
    anchored: bool,
) -> dict[str, Floats]:
    """Terms of one share."""
    unit = np.eye(n_cells)
    one, zero = unit[at[ASSIGNED, k]], at.get((UNASSIGNED, k))
    told: dict[str, Floats] = {}
    if zero is not None:
        told["direct"] = one - unit[zero]
    if not anchored:
        return told
    none = unit[at[UNASSIGNED, 0]]
    if zero is not None:
        told["spillover"] = unit[zero] - none
    told["total"] = one - none
    lost = told.get("spillover", np.zeros(n_cells))
    told["overall"] = share * told["total"] + (1 - share) * lost
    per_100 = 100.0 * assumed.jobs / (share * assumed.take_up)
    told["net"] = per_100 * told["overall"]
    if assumed.ineligible:
        others = unit[at[INELIGIBLE, k]] - unit[at[INELIGIBLE, 0]]
        told["spillover_ineligible"] = others
        told["net"] = told["net"] + per_100 * others * sum(assumed.ineligible) / sum(assumed.sizes)
    return told


def _averages(
    by_share: dict[float, dict[str, Floats]], part: dict[float, float]
) -> list[tuple[str, Floats]]:
    """Each term averaged as estimates are: over shares that tell direct, spillover and total."""
    core = {"direct", "spillover", "total"}
    whole = [p for p, told in by_share.items() if core <= set(told)]
    shares = whole or [p for p, told in by_share.items() if "total" in told] or list(by_share)
    shared = [
        term
        for term in ("direct", "spillover", "total", "overall", "spillover_ineligible")
        if all(term in by_share[p] for p in shares)
    ]
    mass = sum(part[p] for p in shares)
    found = [
        (term, np.sum([part[p] / mass * by_share[p][term] for p in shares], axis=0))
        for term in shared
    ]
    if all("net" in by_share[p] for p in shares):
        # Jobs over participants of all these markets together, not the mean of ratios.
        helped = sum(part[p] * p for p in shares)
        form = np.sum([part[p] * p / helped * by_share[p]["net"] for p in shares], axis=0)
        found.append(("net", form))
    return found


def variances(trial: Trial, assumed: Assumed) -> tuple[Contrasts, CellVariance]:
    """Terms of a trial, and the covariance of its cell means."""
    contrasts = contrasts_of(trial, assumed)
    return contrasts, cells(trial, assumed, contrasts, np.array(trial.allocation))


def cells(trial: Trial, assumed: Assumed, contrasts: Contrasts, allocation: Floats) -> CellVariance:
    """Covariance of the cell means at some allocation."""
    size = np.asarray(assumed.sizes, dtype=float)
    others = np.asarray(assumed.ineligible or np.zeros(size.size), dtype=float)
    counts = np.array(
        [
            {
                ASSIGNED: size * trial.shares[k],
                UNASSIGNED: size * (1 - trial.shares[k]),
                INELIGIBLE: others,
            }[arm]
            for arm, k in zip(contrasts.arm.tolist(), contrasts.share.tolist(), strict=True)
        ]
    )
    helped = contrasts.arm == ASSIGNED
    sd, icc = assumed.of_assigned
    return cell_variance(
        counts,
        contrasts.share,
        allocation=allocation,
        variance=np.where(helped, sd, assumed.sd)[:, None] ** 2,
        icc=np.where(helped, icc, assumed.icc)[:, None],
        together=np.where(helped[:, None] == helped, 1.0, assumed.together),
        away=assumed.away,
    )


def errors(forms: Floats, variance: Floats) -> Floats:
    """Standard errors of linear forms, shape (n_forms,)."""
    return np.asarray(np.sqrt(np.einsum("kc,cd,kd->k", forms, variance, forms)))


def degrees(assumed: Assumed) -> float:
    """Degrees of freedom of estimates clustered by market."""
    return float(len(assumed.sizes) - 1)


def table_of(contrasts: Contrasts, assumed: Assumed, columns: dict[str, Floats]) -> pd.DataFrame:
    """A row per term, with its unit."""
    unit = [JOBS if term == "net" else assumed.unit for term in contrasts.terms]
    return pd.DataFrame(
        {"term": contrasts.terms, "group": contrasts.groups, **columns, "unit": unit}
    )
