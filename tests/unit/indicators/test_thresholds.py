"""Each criterion at its thresholds and one person, month or row beyond: at a threshold is not above it."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from hand import panel, records, spell
from whatworks.indicators import Gate, assess, measure
from whatworks.indicators.assessment import CRITERIA
from whatworks.indicators.gate import Break, Expected
from whatworks.indicators.measured import Measured
from whatworks.ledger import Ledger
from whatworks.months import to_index, to_label
from whatworks.panel import Panel
from whatworks.sources.records import Linked
from whatworks.vocabulary import GateVerdict

JAN = to_index("2020-01")
PUBLISHED, RESERVE, REFUSED = GateVerdict
PEOPLE = [f"p{k:03d}" for k in range(100)]
OUTCOME = "employment_presence"


def employed(n: int, months: int = 12, **more: object) -> Panel:
    """``n`` persons with a contract over the whole window."""
    last = to_label(JAN + months - 1)
    rows = [spell(p, "employment", "cdi", "2019-01-01", None) for p in PEOPLE[:n]]
    made = records(PEOPLE[:n], episodes=rows, window=("2020-01", last), **more)  # type: ignore[arg-type] # options of records
    return panel(made, "2020-01", last)


@pytest.fixture(scope="module")
def small() -> Panel:
    return employed(1)


@pytest.fixture(scope="module")
def long() -> Panel:
    return employed(1, months=101)


def verdict_of(criterion: str, made: Panel, outcome: str = OUTCOME, **asked: object) -> GateVerdict:
    found = assess(made, outcome, **asked).criteria.set_index("criterion")  # type: ignore[arg-type] # options of assess
    return GateVerdict(found.loc[criterion, "verdict"])


def covered_to(made: Panel, last: int, **more: object) -> Panel:
    return replace(made, coverage=tuple(replace(c, last=last, **more) for c in made.coverage))  # type: ignore[arg-type] # fields of Coverage


def linked(made: Panel, *rows: tuple[str, str, int, int, float]) -> Panel:
    table = pd.DataFrame(
        [(by, group, n, k, k / n, false) for by, group, n, k, false in rows],
        columns=["by", "group", "persons", "linked", "link_rate", "false_link_rate"],
    )
    return replace(made, linked=Linked(links=made.persons, rates=table, threshold=0.99))


def four(*measured: float) -> list[tuple[float, GateVerdict]]:
    """What to measure at the first threshold, beyond it, at the second and beyond it; the answers."""
    return list(zip(measured, (PUBLISHED, RESERVE, RESERVE, REFUSED), strict=True))


@pytest.mark.parametrize(("months", "verdict"), four(1, 2, 10, 11))
def test_months_unseen(long: Panel, months: int, verdict: GateVerdict) -> None:
    made = replace(covered_to(long, JAN + 99 - months), last=JAN + 99)
    assert verdict_of("months_unseen", made) == verdict


def test_a_code_that_a_shorter_source_alone_can_tell_is_not_seen_after_it(long: Panel) -> None:
    both = next(c for c in long.coverage if c.kind == "employment")
    short = replace(both, source="short", codes=("cdd",), last=JAN + 49)
    others = tuple(c for c in long.coverage if c.kind != "employment")
    for codes, expected in ((("cdi", "cdd"), 0.0), (("cdi",), 0.5)):
        made = replace(long, coverage=(*others, replace(both, codes=codes), short))
        made = replace(made, first=JAN, last=JAN + 99)
        found = assess(made, "durable_employment").criteria.set_index("criterion")
        assert found.loc["months_unseen", "measured"] == pytest.approx(expected)


@pytest.mark.parametrize(("months", "verdict"), four(1, 2, 10, 11))
def test_horizon_unobserved(long: Panel, months: int, verdict: GateVerdict) -> None:
    made = covered_to(long, JAN + 100 - months)
    asked = {"horizon": 1, "cohort": ("2020-01", to_label(JAN + 99))}
    assert verdict_of("horizon_unobserved", made, **asked) == verdict


@pytest.mark.parametrize(("lost", "verdict"), four(12, 13, 36, 37))
def test_missing_outcome(lost: int, verdict: GateVerdict) -> None:
    """Of the 240 months of 20 persons, 12 are one in twenty."""
    whole, rest = divmod(lost, 12)
    blind = [("s", p, "employment", JAN - 1) for p in PEOPLE[:whole]]
    blind += [("s", p, "employment", JAN + 11) for p in PEOPLE[whole : whole + rest]]
    # Stays told before the window are no sign of the person: shown in 2019, lost since.
    assert verdict_of("missing_outcome", employed(20, blind=blind)) == verdict


@pytest.mark.parametrize(("lost", "verdict"), four(5, 6, 15, 16))
def test_missing_key(lost: int, verdict: GateVerdict) -> None:
    markets = ("category", [None] * lost + ["ZE1"] * (100 - lost))
    assert verdict_of("missing_key", employed(100, attributes={"market": markets})) == verdict


@pytest.mark.parametrize(("rows", "verdict"), four(5, 6, 20, 21))
def test_dropped_rows(small: Panel, rows: int, verdict: GateVerdict) -> None:
    lost = {"unmapped_code": rows - 2, "end_before_start": 2, "filtered": 900}
    ledger = Ledger().add("sources", "s", unit="rows", before=1000, dropped=lost)
    assert verdict_of("dropped_rows", replace(small, ledger=ledger)) == verdict


@pytest.mark.parametrize(("alone", "verdict"), four(50, 51, 150, 151))
def test_unlinked(small: Panel, alone: int, verdict: GateVerdict) -> None:
    made = linked(small, ("all", "", 1000, 1000 - alone, 0.0))
    assert verdict_of("unlinked", made) == verdict


@pytest.mark.parametrize(("alone", "verdict"), four(30, 31, 60, 61))
def test_unlinked_gap(small: Panel, alone: int, verdict: GateVerdict) -> None:
    arms = [("arm", "job_search", 1000, 990, 0.0), ("arm", "none", 1000, 1000 - alone, 0.0)]
    tiny = ("arm", "aided_contract", 10, 0, 0.0)
    made = linked(small, ("all", "", 1000, 1000, 0.0), *arms, tiny)
    assert verdict_of("unlinked_gap", made) == verdict


@pytest.mark.parametrize(("share", "verdict"), four(0.01, 0.0101, 0.03, 0.0301))
def test_false_links(small: Panel, share: float, verdict: GateVerdict) -> None:
    made = linked(small, ("all", "", 1000, 1000, share))
    assert verdict_of("false_links", made) == verdict


@pytest.fixture(scope="module")
def ninety() -> Panel:
    return employed(90)


@pytest.mark.parametrize(
    ("expected", "verdict"), [(92, PUBLISHED), (93, RESERVE), (100, RESERVE), (101, REFUSED)]
)
def test_completeness(ninety: Panel, expected: int, verdict: GateVerdict) -> None:
    count = Expected(
        source="s", state="employment", month="2020-03", expected=expected, origin="the agency"
    )
    gate = Gate.default().model_copy(update={"completeness": (count,)})
    assert verdict_of("completeness", ninety, gate=gate) == verdict


@pytest.mark.parametrize(
    ("months", "asked", "verdict"),
    [
        (0, True, PUBLISHED),
        (1, True, REFUSED),
        (100, True, RESERVE),
        (1, False, RESERVE),
        (0, False, PUBLISHED),
    ],
)
def test_mixed_vintages(long: Panel, months: int, asked: bool, verdict: GateVerdict) -> None:
    """Refused within one comparison only, and only where months of both sorts are in it."""
    made = covered_to(long, JAN + 100, unsettled=JAN + 101 - months)
    options = {"horizon": 1, "cohort": ("2020-01", to_label(JAN + 99))} if asked else {}
    assert verdict_of("mixed_vintages", made, **options) == verdict


@pytest.mark.parametrize(("breaks", "verdict"), [(0, PUBLISHED), (1, RESERVE), (3, RESERVE)])
def test_declared_breaks(small: Panel, breaks: int, verdict: GateVerdict) -> None:
    told = [Break(sources=("s",), month=f"2020-0{3 + k}", description="x") for k in range(breaks)]
    first = Break(sources=("s",), month="2020-01", description="the window begins with it")
    gate = Gate.default().model_copy(update={"breaks": (first, *told)})
    assert verdict_of("declared_breaks", small, gate=gate) == verdict


@pytest.mark.parametrize(("jumps", "verdict"), [(0, PUBLISHED), (1, RESERVE), (2, REFUSED)])
def test_volatility(ninety: Panel, jumps: int, verdict: GateVerdict) -> None:
    """Of 1,000 persons 500 or 501 are in a job; from a month on, 100 fewer, then 100 fewer again."""
    counted = measure(ninety)
    months = list(range(JAN, JAN + 36))
    level = [500 + m % 2 - 100 * (m >= JAN + 15) * (jumps > 0) for m in months]
    level = [n - 100 * (m >= JAN + 22) * (jumps > 1) for n, m in zip(level, months, strict=True)]
    name = {"known:employment": 1000, "in:employment": level, "persons": 1000}
    counts = pd.DataFrame({"month": months, "territory": "", "arm": "none", **name})
    made = replace(ninety, last=JAN + 35)
    asked = replace(counted, panel=made, counts=counts)
    assert verdict_of("volatility", made, measured=asked) == verdict


@pytest.mark.parametrize(
    ("declared", "paid", "verdict"),
    [(False, True, PUBLISHED), (True, False, RESERVE), (True, True, REFUSED)],
)
def test_single_declarant(small: Panel, declared: bool, paid: bool, verdict: GateVerdict) -> None:
    made = replace(small, operator_declared=frozenset({"employment"} if declared else ()))
    gate = Gate.default().model_copy(update={"paid_on": ("employment",) if paid else ()})
    assert verdict_of("single_declarant", made, gate=gate) == verdict


@pytest.mark.parametrize(("once", "verdict"), four(20, 21, 40, 41))
def test_not_reassessed(once: int, verdict: GateVerdict) -> None:
    rows = [("s", p, "obstacles", JAN, 2.0) for p in PEOPLE]
    rows += [("s", p, "obstacles", JAN + 6, 1.0) for p in PEOPLE[once:]]
    assert verdict_of("not_reassessed", employed(100, measures=rows), "obstacles") == verdict


@pytest.mark.parametrize(
    ("territories", "small_ones", "verdict"),
    [(10, 0, PUBLISHED), (10, 1, RESERVE), (10, 3, RESERVE), (9, 3, REFUSED)],
)
def test_hidden_cells(
    small: Panel, territories: int, small_ones: int, verdict: GateVerdict
) -> None:
    """A small cell takes the other of its row with it; three rows of ten are at the threshold."""
    arms = ("job_search", "aided_contract")
    rows = [
        (arm, float(JAN), f"Z{z}", 5 if z < small_ones and arm == arms[0] else 50 + z)
        for z in range(territories)
        for arm in arms
    ]
    people = pd.DataFrame(rows, columns=["arm", "entry_month", "territory", "persons"])
    counted: Measured = replace(measure(small), people=people)
    assert verdict_of("hidden_cells", small, arms=arms, measured=counted) == verdict


def test_every_criterion_is_tried_at_its_thresholds() -> None:
    tried = {name.removeprefix("test_") for name in globals()}
    assert {c.name for c in CRITERIA} <= tried
