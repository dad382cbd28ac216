"""A rollout read off a panel of pathways: persons by calendar month, and when each could start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import ibis
import numpy as np
import pandas as pd
from ibis import _
from numpy.typing import NDArray

from whatworks.design.choosing.kept import frame_of_units
from whatworks.design.covariates import states_of
from whatworks.design.looking.balance import population
from whatworks.design.looking.outcomes import monthly_values
from whatworks.design.parts import Candidates, Outcomes
from whatworks.design.question import LEVELS, Question
from whatworks.design.record import Design
from whatworks.design.riskset.reading import entries_seen_from
from whatworks.design.rollout.as_of import attributes_of, covariates_as_of, weights_of
from whatworks.errors import DesignRefused, OptionError, choice, expect, suggestion
from whatworks.indicators import Gate, Indicator, Measured, assess, lookup
from whatworks.ledger import Ledger
from whatworks.months import to_index, to_label
from whatworks.panel.record import Panel
from whatworks.vocabulary import (
    MARKET,
    MONTH,
    NEVER,
    PERSON,
    Clock,
    DesignClass,
    Kind,
    Supply,
    state_column,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SHOWN: Final = 20
"""Codes named in a message."""


def roll_out(
    panel: Panel,
    question: Question,
    *,
    starts: Mapping[str, str] | None = None,
    level: str = "departement",
    gate: Gate | None = None,
    measured: Measured | None = None,
) -> Design:
    """Persons by calendar month, treated from the month their territory starts, or they do.

    Who takes part is told once, in the *base month*, the one before the first start: persons in the
    question's states of eligibility and territories that month, of the ages asked. Someone who moves
    later keeps the territory of the base month, for moving may answer the reform.

    Parameters
    ----------
    panel : Panel
    question : Question
        ``treatment`` names the reform, or the accompaniment where ``starts`` is left out. Covariates
        are read in the base month: attributes, ages, places, lags, months in a state, numbers; by
        default every attribute but survey weights.
    starts : mapping of territory to ``YYYY-MM``, optional
        When each territory starts; those not named never do. Left out, each person starts in the
        first month of the accompaniment, and the base month is the one before ``first_entry``, or
        the first in which accompaniments are seen; who started by then is left out and counted.
    level : str
        What the names of ``starts`` are, and the market of persons: ``"commune"``, ``"zone"`` or
        ``"departement"`` of the base month, or ``"market"``, an attribute of persons.
    gate, measured
        As `whatworks.assess` takes them.

    Returns
    -------
    Design
        A rollout, sealed before its outcomes were read.

    Raises
    ------
    IndicatorRefused
        When the outcome may not be published from this panel.
    OptionError
        When a territory, a state or a covariate is not in the panel.
    DesignRefused
        When nobody is eligible, all start together with nobody to compare them with, or the outcome
        accumulates since entry.
    """
    expect(panel, Panel, what="roll_out", remedy="make one with whatworks.expand")
    expect(question, Question, what="roll_out", remedy="write whatworks.Question(...)")
    choice(level, (*LEVELS, MARKET), what="level")
    indicator = lookup(question.outcome)
    _of_the_month(indicator)
    assess(panel, question.outcome, gate=gate, measured=measured).raise_if_refused()
    if starts is not None:
        began = _told_starts(starts)
        base = min(began.values()) - 1
        people, ledger = _residents(panel, question, base=base, level=level, starts=True)
        places = sorted(people["place"].dropna().unique())
        unknown = sorted(set(began) - set(places))
        if unknown:
            raise OptionError(
                what="starts",
                needed=f"codes of the level {level!r} in which someone takes part: "
                + ", ".join(places[:SHOWN]),
                found=repr(unknown[0]),
                remedy=suggestion(unknown[0], places) or "check the code and the level",
            )
        people["start"] = people["place"].map(began).fillna(NEVER).astype(np.int64)
    else:
        base = _base_of_persons(panel, question)
        people, ledger = _residents(panel, question, base=base, level=level, starts=False)
        people["start"] = _own_starts(panel, question, people[PERSON].to_numpy())
    return _designed(panel, question, indicator, people, ledger, base=base)


def _of_the_month(indicator: Indicator) -> None:
    if indicator.accumulates or indicator.monthly is None:
        raise DesignRefused(
            what="roll_out",
            needed="an outcome of the month itself",
            found=f"{indicator.id!r}, which is counted from a person's entry",
            remedy="ask for the monthly outcome it is made of",
        )


def _told_starts(starts: Mapping[str, str]) -> dict[str, int]:
    """Months of start by territory."""
    if not starts:
        raise OptionError(
            what="starts",
            needed="at least one territory and its month",
            found="none",
            remedy="write for instance {'08': '2022-03'}",
        )
    return {code: to_index(month, what=f"starts[{code!r}]") for code, month in starts.items()}


def _base_of_persons(panel: Panel, question: Question) -> int:
    """Month before the first start read of persons."""
    codes = panel.states.get(Kind.ACCOMPANIMENT, ())
    if question.treatment not in codes:
        raise OptionError(
            what="treatment",
            needed="an accompaniment of the panel, or starts= by territory",
            found=repr(question.treatment),
            remedy=suggestion(question.treatment, codes) or "map it in the sources file",
        )
    seen = entries_seen_from(panel)
    if question.first_entry is None:
        return seen
    return max(seen, to_index(question.first_entry, what="first_entry") - 1)


def _residents(
    panel: Panel, question: Question, *, base: int, level: str, starts: bool
) -> tuple[pd.DataFrame, Ledger]:
    """Persons who take part, ``person_id, place``, and the ledger of the others."""
    _inside(panel, question, base=base, level=level, starts=starts)
    table = panel.table.filter(_[MONTH] == base)
    of_months = level in table.columns
    fits = ibis.literal(True)  # noqa: FBT003 - a neutral element
    for state in question.eligible:
        fits &= ibis.coalesce(table[state] > 0, False)
    for text in question.territories:
        fits &= _in_places(table, question, text.partition("=")[0])
    columns = {"place": table[level] if of_months else ibis.null("string"), "fits": fits}
    people: pd.DataFrame = table.select(PERSON, **columns).order_by(PERSON).execute()
    if level in panel.attributes:
        people["place"] = attributes_of(panel, people[PERSON].to_numpy())[level].to_numpy()
    placed = of_months or level in panel.attributes
    eligible = people["fits"].to_numpy(dtype=bool) & _of_age(panel, question, people, base=base)
    lost = np.zeros(len(people), dtype=bool) if not placed else people["place"].isna().to_numpy()
    ledger = Ledger().add(
        "design",
        "rollout_base",
        unit="persons",
        before=len(people),
        dropped={
            "not_eligible": int((~eligible).sum()),
            "missing_market": int((eligible & lost).sum()),
        },
    )
    kept = people[eligible & ~lost].drop(columns="fits").reset_index(drop=True)
    if kept.empty:
        raise DesignRefused(
            what="roll_out",
            needed=f"persons eligible in {to_label(base)}, the month before the first start",
            found=f"none of {len(people)}",
            remedy="check eligible, territories and ages, or the months of start",
        )
    return kept, ledger


def _inside(panel: Panel, question: Question, *, base: int, level: str, starts: bool) -> None:
    """Refuse a base month outside the panel, and names it does not hold."""
    if not panel.first < base < panel.last:
        raise DesignRefused(
            what="roll_out",
            needed=f"starts after {to_label(panel.first + 1)} and before {to_label(panel.last)}",
            found=f"a first one in {to_label(base + 1)}",
            remedy="lengthen the panel, or correct the months of start",
        )
    states = states_of(panel)
    for state in question.eligible:
        if state not in states:
            raise OptionError(
                what="eligible",
                needed="one of " + ", ".join(states),
                found=repr(state),
                remedy=suggestion(state, states) or "map it in the sources file",
            )
    known = {*panel.table.columns, *({MARKET} & set(panel.attributes))}
    levels = {text.partition("=")[0] for text in question.territories}
    levels |= {level} if starts else set()
    for wanted in sorted(levels - known):
        raise OptionError(
            what="level" if wanted == level else "territories",
            needed="a level of territory that the panel holds",
            found=repr(wanted),
            remedy="map where persons live, with a table of communes",
        )


def _in_places(table: ibis.Table, question: Question, level: str) -> ibis.BooleanValue:
    codes = [t.partition("=")[2] for t in question.territories if t.startswith(f"{level}=")]
    return table[level].isin(codes)


def _of_age(panel: Panel, question: Question, people: pd.DataFrame, *, base: int) -> Bools:
    """Whether a person's completed age in the month after the base is among those asked."""
    if question.ages is None:
        return np.ones(len(people), dtype=bool)
    if panel.attributes.get(question.born) != "month":
        raise OptionError(
            what="born",
            needed="an attribute of persons that is a month",
            found=repr(question.born),
            remedy="name the month of birth, or declare it in the mapping file with type = 'month'",
        )
    born = attributes_of(panel, people[PERSON].to_numpy())[question.born].to_numpy(
        dtype=float, na_value=np.nan
    )
    age = np.floor((base + 1 - born) / 12)
    youngest, oldest = question.ages
    return np.asarray((age >= youngest) & (age <= oldest))


def _own_starts(panel: Panel, question: Question, person: Ints) -> Ints:
    """First month of each person in the accompaniment; never where none is seen."""
    column = state_column(Kind.ACCOMPANIMENT, question.treatment)
    seen = panel.table.filter((_[column] > 0) & (_[MONTH] >= entries_seen_from(panel)))
    first = seen.group_by(PERSON).agg(start=_[MONTH].min()).execute().set_index(PERSON)["start"]
    return np.asarray(first.reindex(person).fillna(NEVER), dtype=np.int64)


def _designed(
    panel: Panel,
    question: Question,
    indicator: Indicator,
    people: pd.DataFrame,
    ledger: Ledger,
    *,
    base: int,
) -> Design:
    """The design, sealed, then with its outcomes."""
    start = people["start"].to_numpy()
    covariates, names, complete = covariates_as_of(panel, question, people, base=base)
    weight = weights_of(panel, people[PERSON].to_numpy())
    before = start <= base
    kept = complete & ~before
    dropped = {
        "treated_from_start": int(before.sum()),
        "missing_covariate": int((~before & ~complete).sum()),
    }
    ledger = ledger.add("design", "rollout", unit="persons", before=kept.size, dropped=dropped)
    values, periods = _outcomes(panel, indicator, people[PERSON].to_numpy()[kept])
    candidates = Candidates(
        treated=start[kept] <= periods[-1],
        cell=start[kept],
        covariates=covariates[kept],
        names=names,
        weight=weight[kept],
    )
    _comparable(candidates)
    place = people["place"].to_numpy(dtype=object)[kept]
    placed = not pd.isna(place).any()
    given = {
        Supply.ROLLOUT: True,
        Supply.PRE_MONTHS: True,
        Supply.MARKETS: placed and np.unique(place).size > 1,
        Supply.COVARIATES: bool(names),
        Supply.NEVER_TREATED: not candidates.treated.all(),
    }
    closed = Design(
        question=question,
        units=frame_of_units(
            candidates, person=people[PERSON].to_numpy()[kept], market=place if placed else None
        ),
        covariates=names,
        matches=None,
        outcomes=Outcomes.unopened(indicator.id, unit=indicator.unit, n_units=int(kept.sum())),
        supplies=frozenset(supply for supply, held in given.items() if held),
        design_class=DesignClass.PANEL_DIFFERENCE,
        population=population(candidates, None),
        ledger=panel.ledger + ledger,
    ).sealed()
    opened = Outcomes(
        name=indicator.id,
        unit=indicator.unit,
        months=tuple(int(p) for p in periods),
        values=values,
        clock=Clock.CALENDAR,
    )
    return replace(closed, outcomes=opened)


def _comparable(candidates: Candidates) -> None:
    starts = np.unique(candidates.cell)
    if not candidates.treated.any() or starts.size == 1:
        raise DesignRefused(
            what="roll_out",
            needed="persons who start within the panel, and others who start later or never",
            found=f"{int(candidates.treated.sum())} who start, {starts.size} different starts",
            remedy="widen territories or eligibility, or lengthen the panel",
        )


def _outcomes(panel: Panel, indicator: Indicator, person: Ints) -> tuple[Floats, Ints]:
    """Outcome by person and month, over the months in which somebody is seen."""
    values = monthly_values(panel, indicator, person)
    seen = np.flatnonzero(~np.isnan(values).all(axis=0))
    if not seen.size:
        raise DesignRefused(
            what="roll_out",
            needed=f"persons whose {indicator.id!r} is seen",
            found="none in any month",
            remedy="map the source that tells it, over the months of the panel",
        )
    inside = slice(seen[0], seen[-1] + 1)
    scale = 100.0 if indicator.unit == "pp" else 1.0
    return values[:, inside] * scale, panel.first + np.arange(seen[0], seen[-1] + 1)
