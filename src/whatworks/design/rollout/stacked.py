"""A rollout on the clock of entry: each cohort beside its comparison, one under the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from whatworks.design.choosing.kept import frame_of_units
from whatworks.design.looking.balance import population
from whatworks.design.parts import Candidates, Outcomes
from whatworks.design.record import Design
from whatworks.errors import DesignRefused, choice
from whatworks.ledger import Ledger
from whatworks.vocabulary import (
    ENTRY_MONTH,
    MARKET,
    PERSON,
    SAMPLING,
    Clock,
    Supply,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CONTROLS = ("never_treated", "not_yet_treated")


def stack(
    design: Design,
    *,
    controls: str = "never_treated",
    before: int | None = None,
    after: int | None = None,
) -> Design:
    """Cohorts of a rollout one under the other, counted in periods since each one's start.

    Parameters
    ----------
    design : Design
        A rollout.
    controls : str
        ``"never_treated"``, or ``"not_yet_treated"``: units whose start comes more than ``after``
        periods after the cohort's, so that none is treated within the window (Cengiz et al. 2019,
        doi:10.1093/qje/qjz014).
    before, after : int, optional
        Periods kept on each side of the start; by default all, and with ``not_yet_treated`` ``after``
        must be said.

    Returns
    -------
    Design
        A unit appears once per cohort it serves, under one ``person_id``; the comparison of each
        cohort weighs as much as its treated. Ready for `Design.matched`.

    Raises
    ------
    DesignRefused
        When the design is no rollout, or no cohort has a comparison.
    """
    choice(controls, CONTROLS, what="controls")
    if Supply.ROLLOUT not in design.supplies:
        raise DesignRefused(
            what="stack",
            needed="a rollout: units by calendar period",
            found="outcomes by month since entry",
            remedy="use the design as it is, or make one with Design.from_panel",
        )
    if controls == "not_yet_treated" and after is None:
        raise DesignRefused(
            what="stack",
            needed="the number of periods after the start, with controls='not_yet_treated'",
            found="none",
            remedy="say after=, so that no comparison is treated within the window",
        )
    start = design.units[ENTRY_MONTH].to_numpy()
    values = design.outcomes.values
    periods = np.array(design.outcomes.months)
    whole = np.asarray(~np.isnan(values).any(axis=1))
    cohorts = np.unique(start[whole & (start <= periods[-1])])
    since = np.unique((periods[None, :] - cohorts[:, None]).ravel())
    since = since[
        (since >= (since[0] if before is None else -before))
        & (since <= (since[-1] if after is None else after))
    ]
    rows, cells, laid = [], [], []
    for g in cohorts:
        if controls == "never_treated":
            theirs = np.flatnonzero(whole & (start > periods[-1]))
        else:
            theirs = np.flatnonzero(whole & (start > g + (after or 0)))
        if not theirs.size:
            continue
        both = np.concatenate([np.flatnonzero(whole & (start == g)), theirs])
        rows.append(both)
        cells.append(np.full(both.size, g))
        laid.append(_since(values[both], periods - g, since))
    if not rows:
        raise DesignRefused(
            what="stack",
            needed=f"units that can stand as {controls.replace('_', ' ')}",
            found="none for any cohort",
            remedy="shorten after, or choose other controls",
        )
    return _on_the_clock_of_entry(
        design, np.concatenate(rows), np.concatenate(cells), since, np.concatenate(laid), whole
    )


def _since(values: Floats, told: Ints, since: Ints) -> Floats:
    """Values of one cohort in the columns of the months since its start."""
    laid = np.full((values.shape[0], since.size), np.nan)
    place = np.searchsorted(since, told)
    held = (place < since.size) & (since[np.minimum(place, since.size - 1)] == told)
    laid[:, place[held]] = values[:, held]
    return laid


def _on_the_clock_of_entry(
    design: Design,
    rows: Ints,
    cell: Ints,
    since: Ints,
    values: Floats,
    whole: NDArray[np.bool_],
) -> Design:
    units = design.units.iloc[rows]
    treated = units[ENTRY_MONTH].to_numpy() == cell
    sampling = units[SAMPLING].to_numpy()
    weight = sampling.copy()
    for g in np.unique(cell):
        mine, theirs = (cell == g) & treated, (cell == g) & ~treated
        weight[theirs] *= sampling[mine].sum() / sampling[theirs].sum()
    candidates = Candidates(
        treated=treated,
        cell=cell,
        covariates=units[list(design.covariates)].to_numpy(dtype=float),
        names=design.covariates,
        weight=weight,
    )
    gone = np.zeros(len(design.units), dtype=bool)
    gone[rows] = True
    ledger: Ledger = design.ledger
    start = design.units[ENTRY_MONTH].to_numpy()
    last = design.outcomes.months[-1]
    for name, arm in (("stacked_treated", start <= last), ("stacked_comparison", start > last)):
        reasons = {
            "incomplete_panel": int((arm & ~whole).sum()),
            "no_comparison": int((arm & whole & ~gone).sum()),
        }
        ledger = ledger.add("design", name, unit="units", before=int(arm.sum()), dropped=reasons)
    kept = {Supply.PRE_MONTHS} if since[0] < 0 else set()
    kept |= design.supplies & {Supply.MARKETS, Supply.COVARIATES}
    return replace(
        design,
        units=frame_of_units(
            candidates,
            person=units[PERSON].to_numpy(),
            market=units[MARKET].to_numpy(dtype=object),
        ),
        outcomes=Outcomes(
            name=design.outcomes.name,
            unit=design.outcomes.unit,
            months=tuple(int(m) for m in since),
            values=values,
            accumulates=design.outcomes.accumulates,
            clock=Clock.ENTRY,
        ),
        supplies=frozenset(kept | {Supply.NEVER_TREATED}),
        population=population(candidates, None),
        ledger=ledger,
        seal=None,
    )
