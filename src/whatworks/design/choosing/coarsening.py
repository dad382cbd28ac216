"""How covariates are coarsened before units must agree on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from whatworks.design.parts import Candidates
from whatworks.errors import OptionError, choice, suggestion
from whatworks.options import from_table, typed
from whatworks.stats.bins import RULES, binned, equal_bins
from whatworks.stats.subclass import weighted_quantiles

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ALWAYS: Final = ("none",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coarsened:
    """How one covariate is coarsened. One of the options but ``of`` is given.

    Parameters
    ----------
    of : str
        A covariate of the design.
    rule : str, optional
        ``"sturges"``, ``"fd"``, ``"scott"``: bins of one width, as many as the rule says;
        ``"none"``: values as they are.
    bins : int, optional
        Bins of one width; 1 leaves the covariate out of account.
    quantiles : int, optional
        Groups of equal size, by the weighted quantiles of all candidates.
    cuts : tuple of float
        Where bins end; a value on a cut belongs to the bin above.
    groups : tuple of tuple of str
        Levels of a category that count as one; levels not named stay apart.

    Raises
    ------
    OptionError

    Examples
    --------
    >>> Coarsened(of="age", cuts=(25, 50)).cuts
    (25.0, 50.0)
    """

    of: str
    rule: str | None = None
    bins: int | None = None
    quantiles: int | None = None
    cuts: tuple[float, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        typed(self)
        object.__setattr__(self, "cuts", tuple(float(cut) for cut in self.cuts))
        object.__setattr__(self, "groups", tuple(tuple(group) for group in self.groups))
        numbers = [n for n in (self.bins, self.quantiles) if n is not None]
        given = len(numbers) + sum(map(bool, (self.rule, self.cuts, self.groups)))
        levels = [level for group in self.groups for level in group]
        if given != 1 or any(n < 1 for n in numbers) or len(set(levels)) != len(levels):
            raise OptionError(
                what=f"coarsening of {self.of}",
                needed="one of rule, bins, quantiles (1 or more), cuts and groups (no level twice)",
                found=f"{given} of them" if given != 1 else "a number below 1 or a level twice",
                remedy="write for instance Coarsened(of='age', cuts=(25, 50))",
            )
        if self.rule is not None:
            choice(self.rule, (*RULES, *ALWAYS), what=f"coarsening of {self.of}")

    def codes(self, candidates: Candidates) -> list[Floats] | list[Ints]:
        """Columns on which units must agree in place of the covariate.

        Raises
        ------
        OptionError
            When it is no covariate of the design, or of another kind than the coarsening is for.
        """
        labels = candidates.names
        own = [k for k, name in enumerate(labels) if name.split("=")[0] == self.of]
        if self.of in labels:
            own = [labels.index(self.of)]
        elif not own:
            known = sorted({name.split("=")[0] for name in labels})
            raise OptionError(
                what="coarsening",
                needed="covariates of the design",
                found=repr(self.of),
                remedy=suggestion(self.of, known) or "add it to the covariates",
            )
        numeric = labels[own[0]] == self.of
        if self.rule != "none" and numeric == bool(self.groups):
            raise OptionError(
                what=f"coarsening of {self.of}",
                needed="cuts or bins for a number, groups for a category",
                found="a number" if numeric else "a category",
                remedy="leave the category exact or group its levels; cut the number",
            )
        if self.groups:
            return [self._grouped(candidates, own)]
        if not numeric or self.rule == "none":
            return [candidates.covariates[:, k] for k in own]
        return [self._binned(candidates.covariates[:, own[0]], candidates.weight)]

    def _binned(self, values: Floats, weight: Floats) -> Ints:
        if self.cuts:
            return binned(values, np.array(self.cuts))
        if self.quantiles is not None:
            shares = np.arange(1, self.quantiles) / self.quantiles
            return binned(values, weighted_quantiles(values, weight, shares))
        count = self.bins if self.bins is not None else RULES[str(self.rule)](values)
        return binned(values, equal_bins(values, count))

    def _grouped(self, candidates: Candidates, own: list[int]) -> Ints:
        """Number of the group of each unit's level."""
        levels = [candidates.names[k].split("=", 1)[1] for k in own]
        # The first level in alphabetical order has no column: it is where all others are 0.
        level = np.zeros(candidates.treated.size, dtype=np.int64)
        for position, k in enumerate(own, start=1):
            level[candidates.covariates[:, k] == 1.0] = position
        named = {name: number for number, group in enumerate(self.groups) for name in group}
        unseen = [name for name in named if name not in levels]
        first = named[unseen[0]] if len(unseen) == 1 else -1
        if len(unseen) > 1:
            raise OptionError(
                what=f"groups of {self.of}",
                needed="levels of the category: the first in alphabetical order, "
                + ", ".join(levels),
                found=f"{len(unseen)} names that are none of those after the first",
                remedy="correct the names of the levels",
            )
        alone = len(self.groups) + np.arange(len(levels) + 1)
        codes = [first, *(named.get(name, -1) for name in levels)]
        return np.where(np.array(codes) < 0, alone, codes)[level]


def as_coarsened(given: tuple[Any, ...]) -> tuple[Coarsened, ...]:
    """Coarsenings from what a study file (tables) or a caller (objects) wrote."""
    found = tuple(from_table(Coarsened, one) if isinstance(one, Mapping) else one for one in given)
    if not all(isinstance(one, Coarsened) for one in found):
        raise OptionError(
            what="coarsened",
            needed="coarsenings, or tables of their options",
            found=", ".join(sorted({type(one).__name__ for one in found})),
            remedy="write for instance coarsened=(Coarsened(of='age', cuts=(25, 50)),)",
        )
    return found
