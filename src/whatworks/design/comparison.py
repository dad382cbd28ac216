"""What every way of choosing comparisons answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from whatworks.design.parts import Candidates
from whatworks.errors import DesignRefused, OptionError, suggestion
from whatworks.stats.neighbours import MOST_PAIRS, Pairs, TooManyPairsError, nearest_on_line

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Who is compared with whom, as positions among the candidates.

    Parameters
    ----------
    treated, comparison : ndarray of int, shape (n_pairs,)
    part : ndarray of shape (n_pairs,)
        Sums to one over the pairs of a treated unit.
    propensity : ndarray of shape (n_candidates,) or None
        Between 0 and 1, when one was fitted.
    used : tuple of str or None
        Covariates the choice rests on; None for all of them.
    dropped : mapping of reason to count
        Treated units left without comparison.
    """

    treated: Ints
    comparison: Ints
    part: Floats
    propensity: Floats | None = None
    used: tuple[str, ...] | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)


class Comparison(Protocol):
    """Frozen options and one act."""

    def choose(self, candidates: Candidates) -> Chosen:
        """Choose comparisons without seeing any outcome."""
        ...


def chosen(
    candidates: Candidates,
    pairs: Pairs,
    *,
    reason: str,
    propensity: Floats | None = None,
) -> Chosen:
    """What a search for pairs chose; comparisons share a treated unit by their sampling weights.

    Parameters
    ----------
    candidates : Candidates
    pairs : Pairs
        Positions among the treated and among the others.
    reason : str
        Ledger reason of treated units without a pair.
    propensity : ndarray of shape (n_candidates,), optional
    """
    treated, others = (np.flatnonzero(arm) for arm in (candidates.treated, ~candidates.treated))
    comparison = others[pairs.comparison]
    part = pairs.weight * candidates.weight[comparison]
    total = np.bincount(pairs.treated, weights=part, minlength=treated.size)
    return Chosen(
        treated=treated[pairs.treated],
        comparison=comparison,
        part=part / total[pairs.treated],
        propensity=propensity,
        dropped={reason: int(pairs.unmatched.size)},
    )


def on_line(
    score: Floats,
    cell: Ints,
    treated: NDArray[np.bool_],
    *,
    ratio: int,
    caliper: float = np.inf,
) -> Pairs:
    """Pairs by nearness of a score within cells.

    Parameters
    ----------
    score, cell, treated : ndarray of shape (n_candidates,)
    ratio : int
    caliper : float

    Raises
    ------
    DesignRefused
        When so many comparisons are tied that the pairs cannot be listed.
    """
    try:
        return nearest_on_line(
            score[treated],
            score[~treated],
            cell_treated=cell[treated],
            cell_comparison=cell[~treated],
            ratio=ratio,
            caliper=caliper,
        )
    except TooManyPairsError as many:
        raise DesignRefused(
            what="comparisons",
            needed=f"at most {MOST_PAIRS:,} pairs of treated and comparison units",
            found=f"{many.count:,}, most of them equally near",
            remedy="compare on more covariates, so that fewer units are tied",
        ) from None


def as_names(names: Sequence[str], *, what: str) -> tuple[str, ...]:
    """Names as a tuple; a bare string is a mistake, said as such.

    Raises
    ------
    OptionError
    """
    if isinstance(names, str):
        raise OptionError(
            what=what,
            needed="a list of names",
            found="a single string",
            remedy=f"write [{names!r}]",
        )
    return tuple(names)


def cells(candidates: Candidates, exact: tuple[str, ...], *, what: str) -> Ints:
    """Number of the cell of each candidate: its month, crossed with the covariates matched exactly.

    Raises
    ------
    OptionError
        When one of them is not a covariate of the design; ``what`` names the option.
    """
    known = {name.split("=")[0] for name in candidates.names} | set(candidates.names)
    unknown = [name for name in exact if name not in known]
    if unknown:
        raise OptionError(
            what=what,
            needed="covariates of the design",
            found=repr(unknown[0]),
            remedy=suggestion(unknown[0], sorted(known)) or "add it to the covariates",
        )
    keys = [candidates.cell.astype(float)]
    for name in exact:
        keys += [
            candidates.covariates[:, k]
            for k, label in enumerate(candidates.names)
            if label == name or label.startswith(f"{name}=")
        ]
    if len(keys) == 1:
        return np.unique(candidates.cell, return_inverse=True)[1].astype(np.int64)
    return np.unique(np.column_stack(keys), axis=0, return_inverse=True)[1].astype(np.int64)
