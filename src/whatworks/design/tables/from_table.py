"""A design made of an ordinary table, and what choosing comparisons among its rows makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from whatworks.design.choosing.kept import frame_of_units, keep_chosen
from whatworks.design.comparison import Comparison
from whatworks.design.looking.balance import population
from whatworks.design.question import Question
from whatworks.design.rollout.reading import RolloutColumns, read_rollout
from whatworks.design.tables.table import Columns, Tabled, read_cross_section
from whatworks.errors import DesignRefused
from whatworks.vocabulary import (
    DOSE,
    ELIGIBLE,
    MARKET,
    PERSON,
    TOOK_PART,
    Clock,
    DesignClass,
    Supply,
)

if TYPE_CHECKING:
    from whatworks.design.record import Design


def fields_of_rows(
    table: pd.DataFrame, columns: Columns, *, unit: str, randomised: bool
) -> dict[str, Any]:
    """Fields of the design of a table with one row per person, and one outcome or one per wave."""
    tabled = read_cross_section(table, columns, unit=unit)
    markets = tabled.market is not None
    given = {
        Supply.MARKETS: markets,
        Supply.SATURATION: markets and tabled.saturation is not None,
        Supply.DRAWN_SATURATION: markets and tabled.saturation is not None and randomised,
        Supply.PRE_MONTHS: tabled.outcomes.months[0] < 0,
        Supply.TAKE_UP: tabled.took_part is not None,
        Supply.INDEPENDENT_UNITS: np.unique(tabled.person).size == tabled.person.size,
    }
    kind = DesignClass.RANDOMISED if randomised else DesignClass.UNADJUSTED
    return _fields(tabled, treatment=columns.treatment, given=given, design_class=kind)


def fields_of_periods(
    table: pd.DataFrame, columns: RolloutColumns, *, outcome_unit: str
) -> dict[str, Any]:
    """Fields of the design of a table of units × periods."""
    tabled = read_rollout(table, columns, outcome_unit=outcome_unit)
    given = {
        Supply.ROLLOUT: True,
        Supply.NEVER_TREATED: not tabled.candidates.treated.all(),
        Supply.MARKETS: tabled.market is not None,
        Supply.PRE_MONTHS: True,
        Supply.DOSE: tabled.dose is not None,
    }
    kind = DesignClass.PANEL_DIFFERENCE
    return _fields(tabled, treatment=columns.first_treated, given=given, design_class=kind)


def _fields(
    tabled: Tabled, *, treatment: str, given: Mapping[Supply, bool], design_class: DesignClass
) -> dict[str, Any]:
    """Everyone in the table, with their sampling weight."""
    given = {**given, Supply.COVARIATES: bool(tabled.candidates.names)}
    months, common = _horizons(tabled)
    units = frame_of_units(
        tabled.candidates,
        person=tabled.person,
        market=tabled.market,
        stratum=tabled.stratum,
        saturation=tabled.saturation,
    )
    told = {DOSE: tabled.dose, TOOK_PART: tabled.took_part, ELIGIBLE: tabled.eligible}
    units = units.assign(**{name: column for name, column in told.items() if column is not None})
    return {
        "question": Question(
            treatment=treatment,
            outcome=tabled.outcomes.name,
            months=months,
            primary=common,
        ),
        "units": units,
        "covariates": tabled.candidates.names,
        "matches": None,
        "outcomes": tabled.outcomes,
        "supplies": frozenset(supply for supply, held in given.items() if held),
        "design_class": design_class,
        "population": population(tabled.candidates, None),
        "ledger": tabled.ledger,
    }


def _horizons(tabled: Tabled) -> tuple[tuple[int, ...], int]:
    """Horizons of a table, and the one to conclude at: the last at which every cohort is seen."""
    outcomes = tabled.outcomes
    if outcomes.clock is Clock.ENTRY:
        return tuple(m for m in outcomes.months if m >= 0), outcomes.months[-1]
    periods = np.array(outcomes.months)
    cohorts = np.unique(tabled.candidates.cell[tabled.candidates.treated])
    since = [set((periods - g)[periods >= g].tolist()) for g in cohorts]
    common = set.intersection(*since)
    return tuple(sorted(set.union(*since))), max(common, default=-1)


def chosen_among(design: Design, using: Comparison) -> Design:
    """The design with comparisons chosen among its units; see `Design.matched`."""
    if Supply.WEIGHTS in design.supplies:
        raise DesignRefused(
            what="matching",
            needed="a design not matched yet",
            found="a matched one",
            remedy="match the design you started from, with the options you want",
        )
    if design.outcomes.clock is Clock.CALENDAR:
        raise DesignRefused(
            what="matching",
            needed="units on the clock of entry",
            found="a rollout: each unit once, by calendar period",
            remedy="stack its cohorts first, with whatworks.stack(design)",
        )
    candidates = design.candidates()
    chosen = using.choose(candidates)
    found = keep_chosen(
        candidates,
        chosen,
        design.ledger,
        person=design.units[PERSON].to_numpy(),
        market=design.units[MARKET].to_numpy(dtype=object),
    )
    lost = {
        Supply.SATURATION,
        Supply.DRAWN_SATURATION,
        Supply.TAKE_UP,
        Supply.NEVER_TREATED,
    }
    kept = design.supplies - lost
    drawn = design.design_class is DesignClass.RANDOMISED
    compared = DesignClass.CROSS_SECTION if design.covariates else DesignClass.UNADJUSTED
    return replace(
        design,
        units=found.units,
        matches=found.matches,
        fitted=found.fitted,
        ledger=found.ledger,
        outcomes=design.outcomes.of(found.rows),
        supplies=kept
        | ({Supply.WEIGHTS} if chosen.comparable else set())
        | ({Supply.MATCHES} if chosen.linked else set()),
        # Matching compares levels: what made a panel's differences credible is not used.
        design_class=DesignClass.RANDOMISED if drawn else compared,
        population=population(candidates, chosen),
        seal=None,
    )
