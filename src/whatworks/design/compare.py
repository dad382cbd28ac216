"""One verb, `compare`: the only place where a table of the engine becomes arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.causes.pathway import Pathway
from whatworks.design.choosing.kept import Kept, keep_chosen
from whatworks.design.cohorts import Layout, RiskSets, risk_sets
from whatworks.design.comparison import Comparison
from whatworks.design.comparisons.nearest import NearestNeighbours
from whatworks.design.covariates import LONG_HISTORY
from whatworks.design.levels import (
    FEWEST_PERSONS,
    OTHER_LEVELS,
    few_levels,
    pooled_levels,
    usable_weights,
)
from whatworks.design.looking.balance import population
from whatworks.design.looking.histories import histories
from whatworks.design.looking.opening import attach
from whatworks.design.parts import Candidates, Outcomes, encode
from whatworks.design.question import Question
from whatworks.design.record import Design
from whatworks.indicators import Gate, Measured, assess, lookup
from whatworks.ledger import Ledger
from whatworks.panel.record import Panel
from whatworks.vocabulary import (
    CONDITIONS_ON_THE_FUTURE,
    ENTRY_MONTH,
    MARKET,
    PERSON,
    WEIGHT,
    DesignClass,
    Supply,
    Versus,
)

Floats = NDArray[np.float64]

DEFAULT = NearestNeighbours(ratio=3, caliper_sd=0.2)
PLACEBO_YEAR: Final = 12
"""Months of a placebo window from which it counts as history."""


def compare(
    panel: Panel,
    question: Question,
    *,
    using: Comparison = DEFAULT,
    gate: Gate | None = None,
    measured: Measured | None = None,
    layouts: Sequence[Layout] = (),
    graph: Pathway | None = None,
) -> Design:
    """Choose, for everyone who entered, the persons they are compared with, then open outcomes.

    `choose`, then the seal, then `Design.open`: outcomes are read last, for the units chosen, from
    the design as it was sealed. No choice can depend on them.

    Parameters
    ----------
    panel : Panel
    question : Question
    using : Comparison
        How comparisons are chosen: any of `whatworks.COMPARISONS`.
    gate, measured
        As `whatworks.assess` takes them.
    layouts : sequence of Layout
        What `whatworks.lay_out` read of this panel for several questions at once.
    graph : Pathway, optional
        Causal graph that the covariates must satisfy; else nothing is opened.

    Returns
    -------
    Design

    Raises
    ------
    IndicatorRefused
        When the outcome may not be published from this panel.
    OptionError
        When the question names a treatment, state or covariate the panel lacks.
    DesignRefused
        When nobody can be compared.
    """
    assess(panel, question.outcome, gate=gate, measured=measured).raise_if_refused()
    design = choose(panel, question, using=using, layouts=layouts)
    if graph is not None:
        design = design.identified_by(graph)
    return attach(design.sealed(), panel)


def choose(
    panel: Panel,
    question: Question,
    *,
    using: Comparison = DEFAULT,
    layouts: Sequence[Layout] = (),
) -> Design:
    """Choose comparisons and stop there: a design whose outcomes nobody has opened.

    Look at its balance, its overlap and who was left out; save it; then `Design.open` it.

    Parameters
    ----------
    panel, question, using, layouts
        As `compare` takes them.

    Returns
    -------
    Design

    Raises
    ------
    OptionError
        When the question names a treatment, state or covariate the panel lacks.
    DesignRefused
        When nobody can be compared.
    """
    return chosen_design(panel, question, using=using, layouts=layouts, seen=panel)


def chosen_design(
    panel: Panel,
    question: Question,
    *,
    using: Comparison,
    layouts: Sequence[Layout],
    seen: Panel,
) -> Design:
    """A design with closed outcomes, as `choose` gives it.

    ``seen`` is the panel, or what is held of it, from which states before entry are read.
    """
    indicator = lookup(question.outcome)
    risk = risk_sets(panel, question, indicator, layouts=layouts)
    people = risk.people
    attributes = _attributes(people, risk)
    values, names, complete = encode(attributes, [t.name for t in risk.attribute_terms])
    risk, values, ledger = _complete_only(risk, values, complete)
    weight = _survey_weight(people, risk)
    candidates = Candidates(
        treated=risk.treated,
        cell=risk.cell,
        weight=weight,
        covariates=np.column_stack([risk.history, values]),
        names=(*(t.name for t in risk.history_terms), *names),
        estimand=question.estimand,
    )
    chosen = using.choose(candidates)
    markets = people[MARKET].to_numpy() if MARKET in people else None
    kept = keep_chosen(
        candidates,
        chosen,
        ledger,
        person=risk.person,
        market=None if markets is None else markets[_rows(people, risk)],
    )
    # A cell may be narrower than a month, of which the unit keeps its own.
    kept.units[ENTRY_MONTH] = risk.entry[kept.rows]
    history = _history_months(panel, question, risk, chosen.used)
    return Design(
        question=question,
        units=kept.units,
        covariates=candidates.names,
        matches=kept.matches,
        fitted=kept.fitted,
        outcomes=Outcomes.unopened(
            indicator.id,
            unit=indicator.unit,
            accumulates=indicator.accumulates,
            n_units=len(kept.units),
        ),
        supplies=_supplies(kept, comparable=chosen.comparable),
        design_class=(
            DesignClass.MATCHED_LONG_HISTORY
            if history >= LONG_HISTORY
            else DesignClass.MATCHED_SHORT_HISTORY
        ),
        population=population(candidates, chosen),
        ledger=panel.ledger + kept.ledger,
        history_months=history,
        history=histories(seen, kept.units),
        cautions=_cautions(question),
    )


def _cautions(question: Question) -> tuple[str, ...]:
    """What a reader of this comparison must be told, whatever the checks say."""
    future = question.versus == Versus.NEVER_IN_WINDOW
    return (CONDITIONS_ON_THE_FUTURE,) if future else ()


def _history_months(
    panel: Panel, question: Question, risk: RiskSets, used: tuple[str, ...] | None
) -> int:
    """Months before entry on which arms were aligned, or held against each other as a placebo.

    Only terms the comparison rests on count, and only a placebo window of a year or more. Risk sets
    hold no entry whose history the panel does not reach.
    """
    looked_back = [
        risk.first - panel.first if t.act == "since_start" else t.k
        for t in risk.history_terms
        if used is None or t.name in used
    ]
    if question.placebo_months is not None:
        begin, end = question.placebo_months
        if end - begin + 1 >= PLACEBO_YEAR:
            looked_back.append(-begin)
    return max(looked_back, default=0)


def _rows(people: pd.DataFrame, risk: RiskSets) -> NDArray[np.int64]:
    """Row of each unit's person: the numbers of a panel that was refreshed have gaps."""
    return np.searchsorted(people[PERSON].to_numpy(), risk.person)


def _attributes(people: pd.DataFrame, risk: RiskSets) -> pd.DataFrame:
    """Terms of each unit's person and place, ages at entry."""
    columns = {}
    for term in risk.attribute_terms:
        if term.act == "place":
            columns[term.name] = _pooled_places(risk, term.name)
            continue
        known = people[term.base]
        if term.act == "size":
            known = known.map(known.value_counts())
        elif not pd.api.types.is_numeric_dtype(known):
            known = pooled_levels(known, name=term.base)
        column = known.iloc[_rows(people, risk)].reset_index(drop=True)
        columns[term.name] = (risk.entry - column) / 12 if term.act == "age" else column
    return pd.DataFrame(columns, index=pd.RangeIndex(risk.person.size))


def _pooled_places(risk: RiskSets, name: str) -> pd.Series:
    """Territories of few persons as one, so that no name points at somebody."""
    places = risk.places[name]
    pairs = pd.DataFrame({"place": places.codes, "person": risk.person}).drop_duplicates()
    persons = pairs["place"].value_counts()
    rare = [
        level
        for code, level in enumerate(places.categories)
        if 0 < persons.get(code, 0) < FEWEST_PERSONS
    ]
    told = pd.Series(places.remove_unused_categories().astype(object))
    pooled = told.where(~told.isin(rare), OTHER_LEVELS)
    return few_levels(pooled, name=name)


def _complete_only(
    risk: RiskSets, values: Floats, complete: NDArray[np.bool_]
) -> tuple[RiskSets, Floats, Ledger]:
    """Leave out, and count, units with a missing attribute."""
    lost = int((risk.treated & ~complete).sum()), int((~risk.treated & ~complete).sum())
    ledger = risk.ledger
    for name, arm, n in zip(
        ("entrants", "comparisons"), (risk.treated, ~risk.treated), lost, strict=True
    ):
        if n:
            unit = "persons" if name == "entrants" else "person_months"
            ledger = ledger.add(
                "design", name, unit=unit, before=int(arm.sum()), dropped={"missing_covariate": n}
            )
    if not any(lost):
        return risk, values, ledger
    kept = replace(
        risk,
        person=risk.person[complete],
        entry=risk.entry[complete],
        cell=risk.cell[complete],
        treated=risk.treated[complete],
        history=risk.history[complete],
    )
    return kept, values[complete], ledger


def _survey_weight(people: pd.DataFrame, risk: RiskSets) -> Floats:
    if WEIGHT not in people:
        return np.ones(risk.person.size)
    weight = people[WEIGHT].to_numpy(dtype=float, na_value=np.nan)
    return usable_weights(weight)[_rows(people, risk)]


def _supplies(kept: Kept, *, comparable: bool) -> frozenset[Supply]:
    units = kept.units
    supplies = {Supply.WEIGHTS, Supply.COVARIATES} if comparable else {Supply.COVARIATES}
    if kept.matches is not None or (units["matched_set"] >= 0).all():
        supplies.add(Supply.MATCHES)
    if units["market"].notna().all() and units["market"].nunique() > 1:
        supplies.add(Supply.MARKETS)
    if units["person_id"].is_unique:
        supplies.add(Supply.INDEPENDENT_UNITS)
    return frozenset(supplies)
