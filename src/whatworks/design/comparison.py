"""What every way of choosing comparisons answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from whatworks.design.parts import Candidates
from whatworks.errors import DesignRefused, OptionError, suggestion
from whatworks.stats.fitted import FittedScore, UnscaledScore
from whatworks.stats.neighbours import MOST_PAIRS, Pairs, TooManyPairsError, nearest_on_line
from whatworks.stats.subclass import rows_numbered
from whatworks.vocabulary import Estimand

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """Pairs, as positions among the candidates.

    Parameters
    ----------
    unit, match : ndarray of int, shape (n_pairs,)
        A unit for which comparisons were sought, and one of its matches of the other arm.
    part : ndarray of shape (n_pairs,)
        Sums to one over the pairs of a unit.
    """

    unit: Ints
    match: Ints
    part: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Who is compared with whom, or what each stands for.

    Parameters
    ----------
    weight : ndarray of shape (n_candidates,)
        Weight of each candidate in the mean of its arm, sampling weight included and on its scale;
        0 for those who take no part.
    matches : Matches or None
        Where comparisons were found unit by unit.
    matched_set : ndarray of int, shape (n_candidates,), or None
        Number of the set, subclass or cell, from 0; −1 for those who take no part.
    propensity : ndarray of shape (n_candidates,) or None
        Between 0 and 1, NaN where none was fitted.
    fitted : tuple of FittedScore or UnscaledScore
        Estimating equations behind weights or propensity, rows as the candidates.
    used : tuple of str or None
        Covariates the choice rests on; None for all of them.
    lost : mapping of reason to ndarray of bool, shape (n_candidates,)
        Units sought for but left out; reasons do not overlap.
    comparable : bool
        Whether the weights make the arms alike; False when that is left to the method.
    """

    weight: Floats
    matches: Matches | None = None
    matched_set: Ints | None = None
    propensity: Floats | None = None
    fitted: tuple[FittedScore | UnscaledScore, ...] = ()
    used: tuple[str, ...] | None = None
    lost: Mapping[str, Bools] = field(default_factory=dict)
    comparable: bool = True

    @property
    def linked(self) -> bool:
        """Whether it says who is compared with whom, by pairs or by sets."""
        return self.matches is not None or self.matched_set is not None


class Comparison(Protocol):
    """Frozen options and one act."""

    def choose(self, candidates: Candidates) -> Chosen:
        """Choose comparisons without seeing any outcome."""
        ...


def from_matches(
    candidates: Candidates,
    matches: Matches,
    *,
    reason: str,
    propensity: Floats | None = None,
    fitted: tuple[FittedScore | UnscaledScore, ...] = (),
    used: tuple[str, ...] | None = None,
) -> Chosen:
    """What pairs amount to: each unit keeps its weight, each match stands for its parts of theirs.

    Parameters
    ----------
    candidates : Candidates
    matches : Matches
    reason : str
        Ledger reason of units sought for without a match.
    propensity, fitted, used
        As in `Chosen`.
    """
    n = candidates.treated.size
    matched = np.bincount(matches.unit, minlength=n) > 0
    stands_for = np.bincount(
        matches.match, weights=candidates.weight[matches.unit] * matches.part, minlength=n
    )
    return Chosen(
        weight=np.where(matched, candidates.weight, 0.0) + stands_for,
        matches=matches,
        propensity=propensity,
        fitted=fitted,
        used=used,
        lost={reason: candidates.sought & ~matched},
    )


def by_arm(candidates: Candidates, pairs: Mapping[bool, Pairs]) -> Matches:
    """Pairs found for each arm in turn, as positions among all candidates.

    Matches share a unit by their sampling weights.

    Parameters
    ----------
    candidates : Candidates
    pairs : mapping of bool to Pairs
        By the arm (treated or not) for which matches were sought: positions within that arm
        (``treated``) and within the other (``comparison``).
    """
    unit, match, part = [], [], []
    for arm, found in pairs.items():
        mine, theirs = (np.flatnonzero(candidates.treated == side) for side in (arm, not arm))
        share = found.weight * candidates.weight[theirs[found.comparison]]
        total = np.bincount(found.treated, weights=share, minlength=mine.size)
        unit.append(mine[found.treated])
        match.append(theirs[found.comparison])
        part.append(share / total[found.treated])
    return Matches(
        unit=np.concatenate(unit), match=np.concatenate(match), part=np.concatenate(part)
    )


def arms_sought(candidates: Candidates) -> tuple[bool, ...]:
    """Arms for which matches are sought: treated, untreated, or both.

    Raises
    ------
    OptionError
        For the overlap population, which weights define and matches cannot.
    """
    arms: dict[str, tuple[bool, ...]] = {
        Estimand.ATT: (True,),
        Estimand.ATC: (False,),
        Estimand.ATE: (True, False),
    }
    if candidates.estimand not in arms:
        raise OptionError(
            what="estimand",
            needed="ATT, ATC or ATE where comparisons are matched",
            found=repr(candidates.estimand),
            remedy="use overlap weights for the ATO",
        )
    return arms[candidates.estimand]


def on_line(
    score: Floats, cell: Ints, candidates: Candidates, *, ratio: int, caliper: float = np.inf
) -> Matches:
    """Matches by nearness of a score within cells.

    Parameters
    ----------
    score, cell : ndarray of shape (n_candidates,)
    candidates : Candidates
    ratio : int
    caliper : float

    Raises
    ------
    DesignRefused
        When so many comparisons are tied that the pairs cannot be listed.
    """
    found = {}
    for arm in arms_sought(candidates):
        mine, theirs = candidates.treated == arm, candidates.treated != arm
        try:
            found[arm] = nearest_on_line(
                score[mine],
                score[theirs],
                cell_treated=cell[mine],
                cell_comparison=cell[theirs],
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
    return by_arm(candidates, found)


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
    keys: list[NDArray[Any]] = [candidates.cell]
    for name in exact:
        keys += [
            candidates.covariates[:, k]
            for k, label in enumerate(candidates.names)
            if label == name or label.startswith(f"{name}=")
        ]
    return rows_numbered(keys)
