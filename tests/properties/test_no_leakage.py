"""What happens after a month never changes that month's row, nor what a comparison reads of it.

Records are drawn twice: the same up to a month m, anything after it. What is dated after m is: stays
that begin, ends of stays that nobody declares in advance, places, measures, loss of sight. What a record
declares on its first day is known from then on: the term of a contract of employment, the dose of a stay.
Gaps are not bridged here: bridging one is knowing what came after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import hypothesis.strategies as st
import pandas as pd
from hypothesis import example, given, settings

from hand import CODES, day, records, table
from whatworks import Question
from whatworks.design.cohorts import risk_sets
from whatworks.indicators import lookup
from whatworks.months import to_index, to_label
from whatworks.panel import Panel, expand
from whatworks.sources.records import Geography, Records
from whatworks.spells import Overlap, reconcile

BEGIN = to_index("2020-01")
MONTHS = 14
PEOPLE = ("a", "b", "c")
STATES = [(kind, code) for kind, codes in CODES.items() for code in codes]
LATER = st.integers(0, MONTHS - 1)
COMMUNES = ("08001", "74001", "74002")
OVERLAPS = {"accompaniment": Overlap(policy="priority", sources=("t", "s"))}


@dataclass(frozen=True)
class Life:
    """Everything told: rows by the month in which each becomes known, then the row itself."""

    stays: tuple[tuple[str, str, int, int, int, int | None, int], ...]
    months: tuple[tuple[str, str, int, int, float], ...]
    measures: tuple[tuple[str, str, int, float], ...]
    places: tuple[tuple[str, str, int, int, int | None], ...]
    blind: tuple[tuple[str, str, str, int], ...]


PERSON = st.sampled_from(PEOPLE)
SOURCE = st.sampled_from(("s", "t"))
STATE = st.integers(0, len(STATES) - 1)
STAY = st.tuples(
    SOURCE,
    PERSON,
    STATE,
    LATER,
    st.integers(1, 28),
    st.none() | st.integers(0, 300),
    st.integers(0, 2),
)
DRAWN = st.builds(
    Life,
    stays=st.lists(STAY, max_size=6).map(tuple),
    months=st.lists(
        st.tuples(SOURCE, PERSON, STATE, LATER, st.sampled_from([1.0, 2.5])), max_size=8
    ).map(tuple),
    measures=st.lists(
        st.tuples(SOURCE, PERSON, LATER, st.sampled_from([0.0, 9.0])), max_size=4
    ).map(tuple),
    places=st.lists(
        st.tuples(SOURCE, PERSON, st.integers(0, 2), LATER, st.none() | st.integers(0, 6)),
        max_size=5,
    ).map(tuple),
    blind=st.lists(st.tuples(SOURCE, PERSON, st.sampled_from(list(CODES)), LATER), max_size=3).map(
        tuple
    ),
)


def kept(life: Life, other: Life, m: int) -> Life:
    """``life`` up to month m, and ``other`` after it, down to ends that are only known after m."""
    return Life(
        stays=(
            *(_altered(s, m) for s in life.stays if s[3] <= m),
            *(s for s in other.stays if s[3] > m),
        ),
        months=(
            *(r for r in life.months if r[3] <= m),
            *(r for r in other.months if r[3] > m),
        ),
        measures=(
            *(r for r in life.measures if r[2] <= m),
            *(r for r in other.measures if r[2] > m),
        ),
        places=(
            *(_moved(p, m) for p in life.places if p[3] <= m),
            *(p for p in other.places if p[3] > m),
        ),
        blind=(*(b for b in life.blind if b[3] <= m), *(b for b in other.blind if b[3] > m)),
    )


def _altered(
    stay: tuple[str, str, int, int, int, int | None, int], m: int
) -> tuple[str, str, int, int, int, int | None, int]:
    """An end after m comes later, or not at all; contracts and doses declare theirs on the first day."""
    source, person, state, month, first, length, dose = stay
    if STATES[state][0] == "employment" or dose:
        return stay
    start = day(f"{to_label(BEGIN + month)}-{first:02d}")
    end = None if length is None else start + pd.Timedelta(days=length)
    after = end is None or 12 * end.year + end.month - 1 > BEGIN + m
    return (source, person, state, month, first, 400 if after else length, dose)


def _moved(
    place: tuple[str, str, int, int, int | None], m: int
) -> tuple[str, str, int, int, int | None]:
    source, person, commune, first, more = place
    if more is not None and first + more <= m:
        return (source, person, commune, first, more)
    # What was still told at m goes on for ever for one source, and ends at once for the other.
    return (source, person, commune, first, None if source == "s" else m - first)


def told(life: Life) -> Records:
    """Records of a life."""
    episodes = []
    for source, person, state, month, first, length, dose in life.stays:
        start = day(f"{to_label(BEGIN + month)}-{first:02d}")
        end = None if length is None else (start + pd.Timedelta(days=length))
        scheme = (None, "A", "B")[dose]
        episodes.append((source, person, *STATES[state], start, end, scheme, float(dose) or None))
    made = records(
        PEOPLE,
        episodes=episodes,
        states=[
            (s, p, *STATES[state], BEGIN + month, None, dose)
            for s, p, state, month, dose in life.months
        ],
        window=(to_label(BEGIN), to_label(BEGIN + MONTHS - 1)),
        attributes={"sex": ("category", ["w", "m", "w"])},
        measures=[(s, p, "earnings", BEGIN + at, value) for s, p, at, value in life.measures],
        blind=[(s, p, kind, BEGIN + at) for s, p, kind, at in life.blind],
        places=[
            (s, p, COMMUNES[c], BEGIN + at, None if more is None else BEGIN + at + more)
            for s, p, c, at, more in life.places
        ],
    )
    second = tuple(replace(c, source="t", first=c.first + 2) for c in made.coverage)
    every = frozenset(STATES)
    return replace(
        made,
        coverage=(*made.coverage, *second),
        schemes=every,
        intensities=every,
        geography=geography(made),
    )


def geography(made: Records) -> Geography:
    """Three communes in two zones."""
    rows = [("08001", "Z1", "08"), ("74001", "Z2", "74"), ("74002", "Z2", "74")]
    types = {"commune": "string", "zone": "string", "departement": "string"}
    tight = [(zone, BEGIN + k, 0.1 * k) for zone in ("Z1", "Z2") for k in range(MONTHS)]
    kinds = {"place": "string", "month": "int32", "value": "float64"}
    con = made.connection
    return Geography(
        year="2023", communes=table(con, rows, types), tightness=table(con, tight, kinds)
    )


def laid(life: Life) -> Panel:
    last = to_label(BEGIN + MONTHS - 1)
    return expand(reconcile(told(life), overlaps=OVERLAPS), first=to_label(BEGIN), last=last)


def upto(panel: Panel, m: int) -> pd.DataFrame:
    """Rows up to a month; numbers in one type, whether or not a later row holds a null."""
    whole = panel.to_pandas()
    rows = whole[whole["month"] <= BEGIN + m].reset_index(drop=True)
    return rows.astype({n: "float64" for n in rows if pd.api.types.is_numeric_dtype(rows[n])})


NOTHING = Life(stays=(), months=(), measures=(), places=(), blind=())
TWO_PLACES = replace(NOTHING, places=(("s", "a", 0, 0, 4), ("t", "a", 1, 2, 6)))
RUNNING = replace(
    NOTHING,
    stays=(("s", "a", STATES.index(("benefit", "rsa")), 1, 5, 90, 0),),
    blind=(("s", "b", "benefit", 3),),
)


LOST = replace(
    NOTHING,
    stays=(("t", "b", STATES.index(("employment", "cdi")), 0, 17, None, 2),),
    blind=(("t", "b", "employment", 9),),
)
"""An open stay with a dose, whose source loses the person later on."""


@settings(max_examples=12, deadline=None)
@given(DRAWN, DRAWN, st.integers(0, MONTHS - 2))
@example(LOST, NOTHING, 7)
@example(TWO_PLACES, NOTHING, 3)
@example(RUNNING, RUNNING, 2)
def test_rows_up_to_a_month_do_not_know_what_comes_after(life: Life, other: Life, m: int) -> None:
    known, altered = laid(life), laid(kept(life, other, m))
    first, second = upto(known, m), upto(altered, m)
    for name in {*first, *second}:
        if name in first and name in second:
            pd.testing.assert_series_equal(first[name], second[name], check_exact=True)
        else:  # a measure that nobody told up to then
            there = first if name in first else second
            assert there[name].isna().all()


def units(panel: Panel, upto_entry: int) -> Sequence[tuple[object, ...]]:
    """Persons at risk at the entries up to a month, with the history a comparison reads."""
    question = Question(
        treatment="job_search",
        outcome="employment_presence",
        months=(1,),
        covariates=(
            "employment.lag1",
            "employment.months3",
            "employment.spells3",
            "employment.transitions3",
            "employment.since",
            "employment.since3",
            "benefit.months",
            "benefit.elapsed",
            "sex",
        ),
    )
    found = risk_sets(panel, question, lookup("employment_presence"))
    rows = zip(found.person, found.entry, found.treated, found.history.tolist(), strict=True)
    return [(p, e, t, tuple(h)) for p, e, t, h in rows if e <= upto_entry]


ENTERED = (
    ("s", "a", STATES.index(("accompaniment", "job_search")), 5, 1, 200, 0),
    ("s", "a", STATES.index(("employment", "cdd")), 1, 1, 100, 0),
)
"""Somebody enters in the sixth month, so that there is a comparison to make."""


@settings(max_examples=8, deadline=None)
@given(DRAWN, st.integers(6, MONTHS - 3))
def test_a_comparison_reads_nothing_of_what_comes_after(other: Life, m: int) -> None:
    life = replace(NOTHING, stays=ENTERED)
    entry = BEGIN + m + 1
    known, altered = units(laid(life), entry), units(laid(kept(life, other, m)), entry)
    # A person who starts in the month after m is at risk there all the same, as treated or not at
    # all: who enters that month is what happened after m, what they are compared on is not.
    history = {(p, e): h for p, e, _, h in known}
    for person, month, _, terms in altered:
        if (person, month) in history:
            assert history[person, month] == terms
    before = [u for u in known if u[1] <= BEGIN + m]
    assert before == [u for u in altered if u[1] <= BEGIN + m]
    assert before


def test_a_bridged_gap_is_known_when_it_has_ended() -> None:
    gap = 2
    months = tuple(("s", "a", STATES.index(("benefit", "rsa")), at, 1.0) for at in (0, 1, 4, 8))
    life = replace(NOTHING, months=months)
    last = to_label(BEGIN + MONTHS - 1)

    def bridged(each: Life) -> Panel:
        spells = reconcile(replace(told(each), gaps={"s": gap}))
        return expand(spells, first=to_label(BEGIN), last=last)

    whole = bridged(life)
    for m in (1, 2, 3, 4, 6):
        cut = bridged(replace(life, months=tuple(r for r in months if r[3] <= m)))
        pd.testing.assert_frame_equal(upto(whole, m - gap), upto(cut, m - gap))
    assert whole.to_pandas().loc[lambda t: t["person_id"] == 0, "benefit"].tolist()[:6] == [
        1
    ] * 5 + [0]
