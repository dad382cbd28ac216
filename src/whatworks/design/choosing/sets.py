"""From sets of treated and untreated to what a comparison answers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whatworks.design.choosing.nearness import OFF_SUPPORT
from whatworks.design.choosing.propensity import FittedPropensity
from whatworks.design.comparison import Chosen, arms_sought
from whatworks.design.parts import Candidates
from whatworks.errors import DesignRefused, OptionError
from whatworks.stats.subclass import set_weights, sets_of_both

Ints = NDArray[np.int64]


def from_sets(
    candidates: Candidates,
    number: Ints,
    *,
    reason: str,
    what: str,
    propensity: FittedPropensity | None = None,
    used: tuple[str, ...] | None = None,
) -> Chosen:
    """What sets amount to: members weigh so that each arm stands for those the effect is of.

    Parameters
    ----------
    candidates : Candidates
    number : ndarray of int, shape (n,)
        Set of each candidate, −1 for none; a set without both arms is dissolved.
    reason : str
        Ledger reason of units sought for that are in no set.
    what : str
        Name of the comparison, for a refusal.
    propensity : FittedPropensity, optional
        Those it sets apart are in no set, and counted so.
    used : tuple of str, optional

    Raises
    ------
    OptionError
        When the overlap population is asked.
    DesignRefused
        When no set holds both arms.
    """
    arms_sought(candidates)
    apart = np.zeros(number.size, dtype=bool) if propensity is None else ~propensity.supported
    sets = sets_of_both(np.where(apart, -1, number), candidates.treated)
    if not (sets >= 0).any():
        raise DesignRefused(
            what=what,
            needed="a set that holds treated and untreated units",
            found=f"{int(candidates.treated.sum())} treated units, none with a comparison in its set",
            remedy="agree on fewer covariates, coarsen them further or widen the caliper",
        )
    without = candidates.sought & (sets < 0)
    lost = {reason: without & ~apart}
    if apart.any():
        lost = {OFF_SUPPORT: apart, **lost}
    return Chosen(
        weight=set_weights(
            sets, candidates.treated, candidates.weight, estimand=candidates.estimand
        ),
        matched_set=sets,
        propensity=None if propensity is None else propensity.probability,
        fitted=() if propensity is None or propensity.equation is None else (propensity.equation,),
        used=used,
        lost=lost,
    )


def crossed(cell: Ints, number: Ints) -> Ints:
    """Number of each pair (cell, number), from 0; −1 where either is negative."""
    width = int(number.max(initial=0)) + 1
    inside = (cell >= 0) & (number >= 0)
    cell = np.unique(cell, return_inverse=True)[1].astype(np.int64)
    both = np.where(inside, cell * width + number, -1)
    found = np.unique(both, return_inverse=True)[1].astype(np.int64)
    return found - 1 if (~inside).any() else found


def one_arm(candidates: Candidates, *, what: str) -> bool:
    """Arm for which matches are sought, where each unit serves once.

    Raises
    ------
    OptionError
        For an effect on both arms, or on the overlap.
    """
    arms = arms_sought(candidates)
    if len(arms) > 1:
        raise OptionError(
            what=what,
            needed="ATT or ATC where each comparison serves once",
            found=repr(candidates.estimand),
            remedy="use full matching, subclasses or cells for the ATE",
        )
    return arms[0]


def values_first(candidates: Candidates) -> Ints:
    """Candidates in an order that their values alone decide, but for those alike in everything."""
    keys = (candidates.weight, *candidates.covariates.T, candidates.cell)
    return np.asarray(np.lexsort(keys), dtype=np.int64)
