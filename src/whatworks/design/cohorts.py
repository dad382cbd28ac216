"""Risk sets on the calendar: who enters this month, and who could have but has not.

Runs in the engine. A unit is a person in a possible month of entry; its history is read from the
panel's earlier months only. Comparisons of a month are the eligible persons who have started no
accompaniment by its end (Sianesi 2004, doi:10.1162/003465304323023723).
"""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import numpy as np
from ibis import _
from numpy.typing import NDArray

from whatworks.design.covariates import LONG_HISTORY, Term, default_terms, parse, states_of
from whatworks.design.question import Question
from whatworks.errors import DesignRefused, OptionError, suggestion
from whatworks.indicators import Indicator
from whatworks.ledger import Ledger
from whatworks.months import to_index, to_label
from whatworks.panel.record import Panel
from whatworks.vocabulary import ENTRY_MONTH, MONTH, PERSON, TREATED, Kind, state_column

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSets:
    """Every unit at risk, as columns, in order of entry month then person.

    Parameters
    ----------
    person : ndarray of int, shape (n,)
    entry : ndarray of int, shape (n,)
    treated : ndarray of bool, shape (n,)
    history : ndarray of shape (n, n_history_terms)
    history_terms, attribute_terms : tuple of Term
    first, last : int
        Months of entry looked at.
    ledger : Ledger
    """

    person: Ints
    entry: Ints
    treated: NDArray[np.bool_]
    history: Floats
    history_terms: tuple[Term, ...]
    attribute_terms: tuple[Term, ...]
    first: int
    last: int
    ledger: Ledger


def risk_sets(panel: Panel, question: Question, indicator: Indicator) -> RiskSets:
    """Lay out monthly risk sets for a question.

    Raises
    ------
    OptionError
        When the panel lacks the treatment or a state of eligibility.
    DesignRefused
        When no month of entry leaves history and follow-up enough, or nobody enters.
    """
    treatment = state_column(Kind.ACCOMPANIMENT, question.treatment)
    _known(panel, treatment, what="treatment", shown=question.treatment)
    for state in question.eligible:
        _known(panel, state, what="eligible", shown=state)
    terms, first, last = _window(panel, question, indicator)
    history_terms = tuple(t for t in terms if t.act not in ("attribute", "age"))
    starts = _starts(panel, treatment)
    rows = _classified(panel, question, history_terms, starts, first=first, last=last)
    con = panel.connection
    table = con.create_table(ibis.util.gen_name("at_risk"), rows, temp=True)
    ledger = _count(
        table, starts, first=first, last=last, latest=_latest(panel, question, indicator)
    )
    kept = table.filter(_.reason.isnull()).drop("reason")
    columns = kept.to_pyarrow()
    con.raw_sql(f"DROP TABLE {table.get_name()}")  # the engine needs its memory back
    person = columns[PERSON].to_numpy()
    entry = columns[ENTRY_MONTH].to_numpy().astype(np.int64)
    order = np.lexsort((person, entry))
    history = np.empty((person.size, len(history_terms)))
    for k, term in enumerate(history_terms):
        history[:, k] = columns[term.name].to_numpy()[order]
    treated = columns[TREATED].to_numpy(zero_copy_only=False)[order].astype(bool)
    if not treated.any():
        raise DesignRefused(
            what=f"treatment {question.treatment!r}",
            needed=f"entries between {to_label(first)} and {to_label(last)} by eligible persons",
            found="none",
            remedy="read the ledger's reasons; widen eligibility or the window",
        )
    return RiskSets(
        person=person[order],
        entry=entry[order],
        treated=treated,
        history=history,
        history_terms=history_terms,
        attribute_terms=tuple(t for t in terms if t.act in ("attribute", "age")),
        first=first,
        last=last,
        ledger=ledger,
    )


def _known(panel: Panel, state: str, *, what: str, shown: str) -> None:
    if state not in states_of(panel):
        codes = (
            panel.states.get(Kind.ACCOMPANIMENT, ()) if what == "treatment" else states_of(panel)
        )
        if not codes:
            raise DesignRefused(
                what="treatment",
                needed="a source of accompaniments",
                found="a panel without any",
                remedy="map the operator's extract with kind = 'accompaniment'",
            )
        raise OptionError(
            what=what,
            needed="one of " + ", ".join(codes),
            found=repr(shown),
            remedy=suggestion(shown, codes) or "map it in the sources file",
        )


def _window(
    panel: Panel, question: Question, indicator: Indicator
) -> tuple[tuple[Term, ...], int, int]:
    """Covariate terms, and the first and last month of entry they and the follow-up allow."""
    latest = _latest(panel, question, indicator)
    seen_from = _entries_seen_from(panel)
    last = min(latest, to_index(question.last_entry)) if question.last_entry else latest
    if question.covariates:
        terms = tuple(parse(name, panel) for name in question.covariates)
        earliest = panel.first + max(1, *(t.k for t in terms))
        asked = to_index(question.first_entry) if question.first_entry else earliest
        first = max(earliest, asked)
    else:
        half = panel.first + min(LONG_HISTORY, max((latest - panel.first) // 2, 1))
        first = to_index(question.first_entry) if question.first_entry else half
        terms = default_terms(panel, history=first - panel.first)
    first = max(first, seen_from + 1)
    if first > last or first <= panel.first:
        raise DesignRefused(
            what="months of entry",
            needed=f"{question.months[-1]} months of follow-up and the history of the covariates",
            found=f"a first possible entry in {to_label(first)}, a last in {to_label(last)}",
            remedy="shorten the horizon, look back less far, or lengthen the panel",
        )
    window = question.placebo_months
    if window is not None and first + window[0] < panel.first:
        raise DesignRefused(
            what=f"placebo_months {window}",
            needed=f"months the panel reaches: at the earliest {panel.first - first} from entry",
            found=f"{window[0]}",
            remedy="look back less far, or begin entries later with first_entry",
        )
    return terms, first, last


def _latest(panel: Panel, question: Question, indicator: Indicator) -> int:
    """Last month of entry that is itself seen, and leaves the follow-up of the question.

    Past what the sources of accompaniments cover, whoever enters would pass for not started.
    """
    last = dict.fromkeys((Kind.ACCOMPANIMENT, *indicator.kinds), panel.first - 1)
    for c in panel.coverage:
        if c.kind in last:
            last[c.kind] = max(last[c.kind], c.last)
    entries = last.pop(Kind.ACCOMPANIMENT)
    return min(entries, min(panel.last, *last.values()) - question.months[-1])


def _entries_seen_from(panel: Panel) -> int:
    """First month in which some source sees accompaniments: a stay seen then began nobody knows when."""
    return max(panel.first, min(_beginnings(panel)))


def _beginnings(panel: Panel) -> list[int]:
    """First month of each source of accompaniments: what it shows then may have begun long before."""
    return sorted({c.first for c in panel.coverage if c.kind == Kind.ACCOMPANIMENT})


def _starts(panel: Panel, treatment: str) -> ibis.Table:
    """Month of each person's first accompaniment, and whether it was the treatment alone."""
    table = panel.table
    any_type = table[Kind.ACCOMPANIMENT] > 0
    others = [
        table[name]
        for name in (state_column(Kind.ACCOMPANIMENT, c) for c in panel.states[Kind.ACCOMPANIMENT])
        if name != treatment
    ]
    alone = table[treatment] > 0
    for other in others:
        alone = alone & (other == 0)
    return (
        table.filter(any_type)
        .group_by(PERSON)
        .aggregate(start_month=_[MONTH].min(), is_treatment=alone.argmin(_[MONTH]))
    )


def _history(panel: Panel, terms: tuple[Term, ...]) -> dict[str, ibis.Value]:
    """Each history term at the row's month, which is the month before entry."""
    order = ibis.window(group_by=PERSON, order_by=MONTH)
    columns: dict[str, ibis.Value] = {}
    for term in terms:
        value = panel.table[term.base]
        state = value if term.act == "value" else (value > 0).cast("int32")
        if term.act in ("lag", "value"):
            columns[term.name] = state if term.k == 1 else state.lag(term.k - 1).over(order)
            continue
        reach = None if term.act == "since_start" else term.k - 1
        frame = ibis.window(group_by=PERSON, order_by=MONTH, preceding=reach, following=0)
        # A sum over months of which one was not seen is not known.
        months = ibis.row_number().over(order) + 1 if reach is None else term.k
        seen = state.count().over(frame) == months
        columns[term.name] = seen.ifelse(state.sum().over(frame).cast("int32"), ibis.null("int32"))
    return columns


def _classified(
    panel: Panel,
    question: Question,
    terms: tuple[Term, ...],
    starts: ibis.Table,
    *,
    first: int,
    last: int,
) -> ibis.Table:
    """One row per person and month of entry, with the reason why it is not at risk, or none."""
    eligible: ibis.Value = ibis.literal(True)  # noqa: FBT003 - the start of a chain of ands
    for state in question.eligible:
        eligible = eligible & (panel.table[state] > 0)
    before = panel.table.select(
        PERSON,
        entry_month=_[MONTH] + 1,
        eligible=ibis.coalesce(eligible, False),
        **_history(panel, terms),
    ).filter(_.entry_month.between(first, last))
    rows = before.left_join(starts, PERSON)
    complete: ibis.Value = ibis.literal(True)  # noqa: FBT003 - the start of a chain of ands
    for term in terms:
        complete = complete & rows[term.name].notnull()
    start = ibis.coalesce(rows.start_month, last + 10_000)
    entry = rows[ENTRY_MONTH]
    treated = (start == entry) & rows.is_treatment
    reason = ibis.cases(
        (
            (start <= _entries_seen_from(panel)) | start.isin(_beginnings(panel)),
            "started_before_window",
        ),
        (start < entry, "already_started"),
        ((start == entry) & ~rows.is_treatment, "other_accompaniment"),
        (~rows.eligible, "not_eligible"),
        (~complete, "missing_covariate"),
        else_=ibis.null("string"),
    )
    labelled = rows.select(
        PERSON,
        ENTRY_MONTH,
        *(t.name for t in terms),
        treated=ibis.coalesce(treated, False),
        reason=reason,
    )
    # A month in which nobody eligible enters compares nobody.
    entered = (
        (labelled[TREATED] & labelled.reason.isnull()).any().over(ibis.window(group_by=ENTRY_MONTH))
    )
    return labelled.mutate(
        reason=ibis.coalesce(
            labelled.reason, (~entered).ifelse("no_entry_that_month", ibis.null("string"))
        )
    )


def _count(table: ibis.Table, starts: ibis.Table, *, first: int, last: int, latest: int) -> Ledger:
    """Two steps: entrants by what became of them, and persons-months at risk."""
    counted = table.group_by(TREATED, "reason").aggregate(n=_.count())
    counts = counted.order_by(TREATED, "reason").execute()
    months = {arm: counts[counts[TREATED] == arm].set_index("reason")["n"] for arm in (True, False)}
    when = (
        starts.filter(_.is_treatment)
        .aggregate(
            persons=_.count(),
            early=(_.start_month < first).sum(),
            late=(_.start_month > latest).sum(),
            unasked=((_.start_month > last) & (_.start_month <= latest)).sum(),
        )
        .execute()
        .iloc[0]
    )
    reasons = {
        "entry_before_window": int(when["early"] or 0),
        "followup_too_short": int(when["late"] or 0),
        "outside_asked_months": int(when["unasked"] or 0),
    }
    entrants = months[True]
    reasons |= {str(r): int(n) for r, n in entrants.items() if isinstance(r, str)}
    ledger = Ledger().add(
        "design", "entrants", unit="persons", before=int(when["persons"]), dropped=reasons
    )
    others = months[False]
    return ledger.add(
        "design",
        "comparisons",
        unit="person_months",
        before=int(others.sum()),
        dropped={str(r): int(n) for r, n in others.items() if isinstance(r, str)},
    )
