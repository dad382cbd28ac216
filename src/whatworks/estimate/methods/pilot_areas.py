r"""Pilot areas and an age limit: three differences in differences, and what those too old to take part lost.

Estimand
--------
In pilot areas, from their start on, with those who may take part (the eligible) and those who may not
(the others) there and in areas without a pilot: ``direct`` (A), what the eligible gained above the others
of their own area, which counts as a gain what these lost; ``total`` (B), what they gained above the
eligible of other areas; ``spillover_ineligible`` (C), what the others gained or lost against the others
elsewhere: substitution; ``triple``, B − C; and ``trend_gap``, A − B + C. By periods since the area's
start over all cohorts of areas, then ``throughout`` over all periods from the start on.

Equation
--------
With :math:`\Delta_{z,m}` the mean change since the last period before the start, of group :math:`z` (1
the eligible) in pilot areas (:math:`m=1`) or others,

.. math:: A=\Delta_{11}-\Delta_{01},\quad B=\Delta_{11}-\Delta_{10},\quad C=\Delta_{01}-\Delta_{00},\quad
          A-B+C=\Delta_{10}-\Delta_{00}

so that :math:`A-B=-C` where the two groups would move alike outside pilots: ``trend_gap`` says how far
that is from true. Cohorts of areas weigh as the eligible of them that are observed.

Identification
--------------
B: without pilots the eligible would have moved alike in all areas; the pilots leave other areas alone. C:
the same of the others. A: within an area the two groups would have moved alike, *and* the pilot leaves
the others alone: C tests that. ``triple``: the gap between the groups would have moved alike in all
areas, and again C = 0; with C ≠ 0 it counts the others' losses as gains, as A does.

Inference
---------
Influence of each unit on the four means and on the weights of cohorts, summed by area: the five terms
have one covariance, and A − B and −C are compared with it. Times G/(G−1); Student's t with G−1 degrees of
freedom, G the areas. With few areas see `whatworks.few_clusters`.

Edge cases
----------
Eligibility is the design's own where it says who may take part, else the covariate named ``eligible``. An
area starts when its eligible do, and its others with it, whatever their own start says. Areas whose
eligible start at several times are refused; those without any are left out and counted. Units not
observed in every period are left out and counted; persons seen once are brought as means by area, group
and period, weighted by their number. Other covariates are not adjusted for. Periods before the start are
leads, compared with the same base. A month that no cohort has all four groups for has no row.

References
----------
Blundell, Costa Dias, Meghir & Van Reenen (2004), doi:10.1162/1542476041423368.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, choice, suggestion
from whatworks.estimate.controlled import not_negative
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate, effects_table
from whatworks.estimate.rollouts import Rollout
from whatworks.options import typed
from whatworks.stats.did.four_groups import FORMS, FourGroups, four_groups
from whatworks.stats.did.summed import summed_by_cluster
from whatworks.stats.uncertainty import Influence, factor_of_clusters
from whatworks.vocabulary import CONTROLS, ELIGIBLE, ENTRY_MONTH, NEVER, Control, Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NAME: Final = "PilotAreas"
TERMS: Final = tuple(FORMS)
POOLED: Final = "throughout"


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotAreas:
    """Eligible and others, in pilot areas and elsewhere: three differences and the test between them.

    Parameters
    ----------
    eligible : str
        Covariate that is 1 for those who may take part, 0 for others; not read where the design says it.
    control : str
        ``"never_treated"``, or ``"not_yet_treated"``: areas count as others until they start.
    anticipation : int
        Periods before the start in which people may react already.

    Examples
    --------
    >>> PilotAreas(eligible="under_25").control
    'never_treated'
    """

    eligible: str = "eligible"
    control: Control = "never_treated"
    anticipation: int = 0

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.ROLLOUT, Supply.MARKETS})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.control, CONTROLS, what="control")
        not_negative(self.anticipation, what="anticipation")

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate the five terms by period since the start.

        Parameters
        ----------
        design : Design
            A rollout with markets, and who may take part.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            Terms ``direct``, ``total``, ``spillover_ineligible``, ``triple``, ``trend_gap``.

        Raises
        ------
        OptionError
            When nothing says who may take part.
        DesignRefused
            When the design is no rollout or names no area, the eligible of an area start at several times,
            or no area has all four groups to compare.
        """
        require(design, self.needs, method=NAME, cluster="market", everyone=True)
        there = design.units[ENTRY_MONTH].to_numpy() > design.outcomes.months[0]
        eligible = _eligible(design, self.eligible)[there]
        rollout = Rollout.of(design, cluster="market", gaps="keep")
        start, served = _area_starts(rollout, eligible)
        whole = np.asarray(~np.isnan(rollout.values).any(axis=1), dtype=bool)
        groups = [
            self._compared(rollout, start, eligible, whole & served, int(g))
            for g in np.unique(start[start <= rollout.periods[-1]])
        ]
        told = [one for found in groups for one in found]
        if not any(one.month >= 0 for one in told):
            raise DesignRefused(
                what=NAME,
                needed="eligible and others, in areas that start and in areas that have not",
                found=f"none of {len(groups)} cohorts of areas with all four, observed in every period",
                remedy="bring the others of each area, or choose control='not_yet_treated'",
            )
        return self._estimate(design, rollout, told, whole=whole, served=served)

    def _compared(
        self, rollout: Rollout, start: Ints, eligible: Bools, rows: Bools, cohort: int
    ) -> list[FourGroups]:
        """Four means of change of one cohort of areas, period by period."""
        periods = rollout.periods
        before = np.flatnonzero(periods < cohort - self.anticipation)
        if not before.size:
            return []
        base = int(before[-1])
        found = []
        for column in range(periods.size):
            if column == base:
                continue
            until = max(int(periods[column]), int(periods[base])) + self.anticipation
            other = start == NEVER if self.control == "never_treated" else start > until
            other |= start > periods[-1] + self.anticipation
            used = rows & ((start == cohort) | other)
            one = four_groups(
                rollout.values[used, column] - rollout.values[used, base],
                pilot=start[used] == cohort,
                eligible=eligible[used],
                weight=rollout.weight[used],
                rows=np.flatnonzero(used),
                month=int(periods[column]) - cohort,
            )
            if one is not None:
                found.append(one)
        return found

    def _estimate(
        self,
        design: Design,
        rollout: Rollout,
        told: list[FourGroups],
        *,
        whole: Bools,
        served: Bools,
    ) -> Estimate:
        averages = list(_averages(told))
        effect = np.concatenate([a.effect for a in averages])

        def influence(some: Ints) -> Floats:
            return np.hstack([a.influence(some, rollout.start.size) for a in averages])

        uncertainty = summed_by_cluster(
            influence,
            n_terms=effect.size,
            cluster=rollout.cluster,
            n_clusters=rollout.n_clusters,
            factor=factor_of_clusters(rollout.n_clusters),
            level="market",
        )
        labels = [a.row(term, k) for a in averages for k, term in enumerate(TERMS)]
        ledger = rollout.ledger.add(
            "estimate",
            "four_groups",
            unit="units",
            before=whole.size,
            dropped={
                "incomplete_panel": int((~whole).sum()),
                "no_comparison": int((whole & ~served).sum()),
            },
        )
        order = sorted(range(effect.size), key=lambda k: _place(labels[k]))
        form = np.eye(effect.size)[order]
        uncertainty = uncertainty.combine(form)
        return Estimate(
            method=NAME,
            options=asdict(self),
            effects=effects_table(
                [labels[k] for k in order],
                effect[order],
                uncertainty.covariance(),
                unit=design.outcomes.unit,
                df=rollout.df,
                influence=uncertainty if isinstance(uncertainty, Influence) else None,
            ),
            uncertainty=uncertainty,
            ledger=ledger,
        )


def _place(label: dict[str, Any]) -> tuple[bool, int, int]:
    """Curves term by term, then pooled effects."""
    return (label["group"] == POOLED, TERMS.index(label["term"]), label["month"])


@dataclass(frozen=True, slots=True)
class _Average:
    """Terms averaged over cohorts and periods, by the eligible observed."""

    parts: list[FourGroups]
    month: int
    group: str

    @property
    def mass(self) -> float:
        return float(sum(part.mass for part in self.parts))

    @property
    def effect(self) -> Floats:
        return np.asarray(sum(part.mass * part.effect for part in self.parts) / self.mass)

    def influence(self, rows: Ints, n_units: int) -> Floats:
        """Influence of some units on every term, that of the weights of cohorts included."""
        place = np.full(n_units, -1)
        place[rows] = np.arange(rows.size)
        found = np.zeros((rows.size, len(TERMS)))
        for part in self.parts:
            here = place[part.rows]
            inside = here >= 0
            apart = (part.effect - self.effect) / self.mass
            own = part.influence[inside] * (part.mass / self.mass)
            found[here[inside]] += own + np.outer(part.counted[inside], apart)
        return found

    def row(self, term: str, at: int) -> dict[str, Any]:
        """Labels of one term, with the units it compares: those of a cohort count once."""
        own, others = FORMS[term][1]
        return {
            "term": term,
            "cohort": -1,
            "month": self.month,
            "group": self.group,
            "n_treated": _counted(self.parts, own),
            "n_comparison": _counted(self.parts, others),
        }


def _counted(parts: list[FourGroups], groups: tuple[int, ...]) -> int:
    """Distinct units of some of the four groups."""
    members = [part.rows[np.isin(part.number, groups)] for part in parts]
    return int(np.unique(np.concatenate(members)).size)


def _averages(told: list[FourGroups]) -> Iterator[_Average]:
    """By month since the start, then over all months from it on."""
    for month in sorted({one.month for one in told}):
        yield _Average([one for one in told if one.month == month], month, "all")
    yield _Average([one for one in told if one.month >= 0], 0, POOLED)


def _eligible(design: Design, name: str) -> Bools:
    """Who may take part: as the design says, or the covariate."""
    if ELIGIBLE in design.units:
        values = design.units[ELIGIBLE].to_numpy().astype(float)
        name = ELIGIBLE
    elif name in design.covariates:
        values = design.units[name].to_numpy(dtype=float)
    else:
        raise OptionError(
            what="eligible",
            needed="a covariate of the design: "
            + (", ".join(design.covariates) or "there is none"),
            found=repr(name),
            remedy=suggestion(name, design.covariates) or "name it among covariates=",
        )
    if not np.isin(values, (0.0, 1.0)).all() or np.unique(values).size < len((0, 1)):
        raise OptionError(
            what=f"column {name!r}",
            needed="0 and 1, both of them",
            found=f"{np.unique(values).size} values",
            remedy="write 1 for those who may take part, 0 for others, and bring both",
        )
    return np.asarray(values == 1)


def _area_starts(rollout: Rollout, eligible: Bools) -> tuple[Ints, Bools]:
    """Start of the area of each unit, that of its eligible, and whether it has any."""
    first = np.full(rollout.n_clusters, np.iinfo(np.int64).max)
    last = np.full(rollout.n_clusters, np.iinfo(np.int64).min)
    np.minimum.at(first, rollout.cluster[eligible], rollout.start[eligible])
    np.maximum.at(last, rollout.cluster[eligible], rollout.start[eligible])
    nobody = last < first
    mixed = int(((first != last) & ~nobody).sum())
    if mixed:
        raise DesignRefused(
            what=NAME,
            needed="one start for the eligible of an area",
            found=f"{mixed} of {first.size} areas whose eligible start at several times",
            remedy="say for the eligible when their area started, whoever took part; or cut areas smaller",
        )
    return np.asarray(first[rollout.cluster]), np.asarray(~nobody[rollout.cluster])
