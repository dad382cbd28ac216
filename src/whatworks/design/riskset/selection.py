"""From a layout to the units of one question, with the ledger of both arms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whatworks.design.covariates import OF_PERSONS, Term
from whatworks.design.question import Question
from whatworks.design.riskset.arms import COMPARED, TREATED_ARM, Arms, arms_of
from whatworks.design.riskset.histories import history_terms
from whatworks.design.riskset.layout import BAND, REASON, REASONS, STANDING, Layout
from whatworks.design.riskset.reading import Reading
from whatworks.errors import DesignRefused
from whatworks.ledger import Ledger
from whatworks.months import to_label
from whatworks.vocabulary import ENTRY_MONTH

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSets:
    """Every unit at risk, as columns, in order of entry month then person.

    Parameters
    ----------
    person : ndarray of int, shape (n,)
    entry : ndarray of int, shape (n,)
    cell : ndarray of int, shape (n,)
        Units are compared within it: the month of entry, and the band of elapsed duration.
    treated : ndarray of bool, shape (n,)
    history : ndarray of shape (n, n_history_terms)
    history_terms, attribute_terms : tuple of Term
    places : mapping of term to Categorical of text, shape (n,)
        Territories of the month before entry.
    people : DataFrame
        Persons of the panel with their attributes, by number.
    first, last : int
        Months of entry looked at.
    ledger : Ledger
    """

    person: Ints
    entry: Ints
    cell: Ints
    treated: NDArray[np.bool_]
    history: Floats
    history_terms: tuple[Term, ...]
    attribute_terms: tuple[Term, ...]
    places: Mapping[str, pd.Categorical[str]]
    people: pd.DataFrame
    first: int
    last: int
    ledger: Ledger


def select(layout: Layout, question: Question, reading: Reading) -> RiskSets:
    """Units of one question, among the rows of a layout.

    Raises
    ------
    DesignRefused
        When nobody enters.
    """
    arms, place = arms_of(layout.standings, layout.codes, question), layout.place
    inside = (layout.entry >= reading.first) & (layout.entry <= reading.last)
    at_risk = np.flatnonzero(arms.compared[place] & inside)
    treated = arms.arm[place[at_risk]] == TREATED_ARM
    width = int(layout.band.max(initial=0)) + 1
    cell = layout.entry[at_risk].astype(np.int64) * width + layout.band[at_risk]
    # A month in which nobody eligible enters compares nobody.
    entered = np.isin(cell, np.unique(cell[treated]))
    rows, treated, cell = at_risk[entered], treated[entered], cell[entered]
    if rows.size == 0:
        raise DesignRefused(
            what=f"treatment {question.treatment!r}",
            needed=f"entries between {to_label(reading.first)} and {to_label(reading.last)} "
            "by eligible persons",
            found="none",
            remedy="read the ledger's reasons; widen eligibility or the window",
        )
    terms = history_terms(layout.rules.terms)
    history = np.empty((rows.size, len(terms)))
    for k, term in enumerate(terms):
        history[:, k] = layout.columns[term.name][rows]
    entry = layout.entry[rows].astype(np.int64)
    return RiskSets(
        person=layout.person[rows],
        entry=entry,
        cell=entry if width == 1 else cell,
        treated=treated,
        history=history,
        history_terms=terms,
        attribute_terms=tuple(t for t in layout.rules.terms if t.act in OF_PERSONS),
        places={
            name: pd.Categorical.from_codes(
                layout.columns[name][rows].astype(np.int64), pd.Index(levels)
            )
            for name, levels in layout.levels.items()
        },
        people=layout.people,
        first=reading.first,
        last=reading.last,
        ledger=_ledger(layout, arms, question, reading),
    )


def _ledger(layout: Layout, arms: Arms, question: Question, reading: Reading) -> Ledger:
    """Two steps: entrants by what became of them, and those they are compared with."""
    counts = layout.counts
    place = counts[STANDING].to_numpy()
    table = pd.DataFrame(
        {
            "entry": counts[ENTRY_MONTH].to_numpy(),
            "band": counts[BAND].to_numpy(),
            "arm": arms.arm[place],
            "reason": _reasons(counts, arms, place),
            "n": counts["n"].to_numpy(),
        }
    )
    table.loc[table["entry"] < reading.first, "reason"] = "entry_before_window"
    table.loc[table["entry"] > reading.last, "reason"] = "outside_asked_months"
    table.loc[table["entry"] > reading.latest, "reason"] = "followup_too_short"
    entrants = table[table["arm"] == TREATED_ARM]
    months = set(entrants.loc[entrants["reason"] == "", ["entry", "band"]].itertuples(index=False))
    idle = [(e, b) not in months for e, b in zip(table["entry"], table["band"], strict=True)]
    table.loc[np.array(idle, dtype=bool) & (table["reason"] == ""), "reason"] = (
        "no_entry_that_month"
    )
    others = table[table["arm"] == COMPARED]
    events = question.other_type is not None or question.landmark[0] is not None
    if not events:
        others = others[others["entry"].between(reading.first, reading.last)]
    return _steps(
        _told(table[table["arm"] == TREATED_ARM]),
        _told(others),
        once=question.washout is None,
        events=events,
    )


Told = tuple[int, dict[str, int]]


def _told(rows: pd.DataFrame) -> Told:
    """Number of rows, and of those lost by reason."""
    lost = rows[rows["reason"] != ""].groupby("reason")["n"].sum()
    return int(rows["n"].sum()), {str(reason): int(n) for reason, n in lost.items()}


def _steps(entrants: Told, others: Told, *, once: bool, events: bool) -> Ledger:
    """Both steps; a person enters once, or counts for each entry."""
    n, lost = entrants
    if once:
        ledger = Ledger().add("design", "entrants", unit="persons", before=n, dropped=lost)
    else:
        ledger = Ledger().add("design", "entrants", unit="entries", before=n, dropped=lost)
    n, lost = others
    if not events:
        return ledger.add("design", "comparisons", unit="person_months", before=n, dropped=lost)
    if once:
        return ledger.add("design", "comparisons", unit="persons", before=n, dropped=lost)
    return ledger.add("design", "comparisons", unit="entries", before=n, dropped=lost)


def _reasons(counts: pd.DataFrame, arms: Arms, place: Ints) -> NDArray[np.object_]:
    """Reason of each count: what the standing breaks, then what holds whatever the treatment."""
    common = np.array(REASONS, dtype=object)[counts[REASON].to_numpy()]
    own = arms.reason[place]
    return np.where(own != "", own, common)
