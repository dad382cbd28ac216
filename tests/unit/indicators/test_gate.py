"""The gate: each criterion on panels worked by hand, thresholds from a file, waivers by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hand import CODES, panel, records, spell
from whatworks.errors import IndicatorRefused, OptionError
from whatworks.indicators import Gate, assess, measure
from whatworks.indicators.assessment import CRITERIA
from whatworks.indicators.criteria.hidden_cells import protected
from whatworks.indicators.gate import THRESHOLDS
from whatworks.ledger import Ledger
from whatworks.months import to_index
from whatworks.panel import Panel
from whatworks.sources.records import Coverage, FileRead, Linked
from whatworks.vocabulary import GateVerdict

JANUARY = to_index("2020-01")
Written = Callable[[str], Gate]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A gate read from the text of a file."""

    def write(text: str) -> Gate:
        place = tmp_path / "gate.toml"
        place.write_text("schema = 1\n" + text, encoding="utf-8")
        return Gate.load(place)

    return write


def employed(n: int = 1, **more: object) -> Panel:
    """``n`` persons employed all year."""
    who = [f"p{k:02d}" for k in range(n)]
    rows = [spell(p, "employment", "cdi", "2020-01-01", None) for p in who]
    return panel(records(who, episodes=rows, **more))  # type: ignore[arg-type] # options of records


def covered(made: Panel, kind: str, **changes: object) -> Panel:
    """The panel with the coverage of one kind changed."""
    coverage = tuple(replace(c, **changes) if c.kind == kind else c for c in made.coverage)  # type: ignore[arg-type] # fields of Coverage
    return replace(made, coverage=coverage)


def row(found: pd.DataFrame, criterion: str) -> pd.Series:
    return found.set_index("criterion").loc[criterion]


def test_every_criterion_has_thresholds_and_every_threshold_a_criterion() -> None:
    assert {c.name for c in CRITERIA} == set(THRESHOLDS)


def test_a_whole_year_of_one_person_is_published_and_says_what_could_not_be_measured() -> None:
    found = assess(employed(), "employment_presence")
    assert found.verdict is GateVerdict.PUBLISHED
    assert {"unlinked", "completeness", "volatility"} <= set(found.unmeasured)
    assert not {*found.criteria["criterion"]} & {*found.unmeasured}


def test_months_no_source_covers() -> None:
    made = covered(employed(), "employment", last=JANUARY + 9)
    found = assess(made, "employment_presence")
    assert row(found.criteria, "months_unseen")["measured"] == pytest.approx(2 / 12)
    assert found.refusals[0].code == "months_unseen"
    assert found.refusals[0].where == "s, 2020-01 → 2020-12"
    assert found.refusals[0].waivable


def test_persons_lost_sight_of_in_covered_months() -> None:
    made = employed(12, blind=[("s", f"p{k:02d}", "employment", JANUARY + 6) for k in range(3)])
    seen = made.table.filter(made.table.employment.isnull()).count().execute()
    assert seen == 3 * 6
    found = assess(made, "employment_presence")
    assert row(found.criteria, "missing_outcome")["measured"] == pytest.approx(18 / 144)
    assert found.verdict is GateVerdict.WITH_RESERVE
    assert found.reserves[0].code == "missing_outcome"
    july = found.cells[found.cells["month"] == JANUARY + 6].iloc[0]
    assert (july["measured"], july["persons"], july["verdict"]) == (0.25, 12, "refused")


def test_a_number_that_is_seldom_known_is_refused() -> None:
    rows = [("s", f"p{k:02d}", "earnings", JANUARY + m, 0.0) for k in range(12) for m in range(6)]
    rows += [("s", "p00", "earnings", JANUARY + m, 1500.0) for m in range(6, 12)]
    found = assess(employed(12, measures=rows), "earnings")
    assert row(found.criteria, "missing_outcome")["measured"] == pytest.approx(66 / 144)
    assert found.verdict is GateVerdict.REFUSED


def test_one_arm_worse_than_the_whole_calls_for_a_reserve_that_names_it() -> None:
    who = [f"p{k:02d}" for k in range(130)]
    rows = [spell(p, "employment", "cdi", "2020-01-01", None) for p in who]
    rows += [spell(p, "accompaniment", "job_search", "2020-03-01", "2020-05-31") for p in who[:13]]
    blind = [("s", p, "employment", JANUARY + 6) for p in who[:5]]
    found = assess(panel(records(who, episodes=rows, blind=blind)), "employment_presence")
    assert row(found.criteria, "missing_outcome")["measured"] == pytest.approx(30 / 156)
    assert found.verdict is GateVerdict.WITH_RESERVE
    assert [r.where for r in found.reserves] == ["s, 2020-01 → 2020-12, job_search"]


def test_cells_of_few_persons_are_left_out() -> None:
    assert assess(employed(10), "employment_presence").cells.empty
    assert not assess(employed(11), "employment_presence").cells.empty


def test_persons_without_a_market() -> None:
    markets = ["ZE01"] * 9 + [None]
    found = assess(
        employed(10, attributes={"market": ("category", markets)}), "employment_presence"
    )
    assert row(found.criteria, "missing_key")["measured"] == pytest.approx(0.1)
    assert found.verdict is GateVerdict.WITH_RESERVE


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        ("unmapped_code", GateVerdict.REFUSED),
        ("impossible_overlap", GateVerdict.REFUSED),
        ("filtered", GateVerdict.PUBLISHED),
    ],
)
def test_rows_that_could_not_be_used(reason: str, verdict: GateVerdict) -> None:
    ledger = Ledger().add("sources", "s", unit="rows", before=100, dropped={reason: 3})
    found = assess(replace(employed(), ledger=ledger), "employment_presence")
    assert found.verdict is verdict


# Scenario: the cohort of 2025 read in the vintage of March 2026, definitive six months behind it.
def cohort_of_2025() -> Panel:
    rows = [spell("a", "benefit", "rsa", "2024-01-01", None)]
    made = panel(records(["a"], episodes=rows, window=("2024-01", "2026-03")), "2024-01", "2026-03")
    made = covered(made, "benefit", source="rsa", unsettled=to_index("2025-10"))
    vintage = FileRead(source="rsa", name="f.csv", sha256="", rows=1, vintage=to_index("2026-03"))
    return replace(made, files=(vintage,))


def test_too_early_to_tell_says_from_which_data_it_can_be_told() -> None:
    found = assess(cohort_of_2025(), "rsa_exit", horizon=12, cohort=("2025-01", "2025-12"))
    assert found.verdict is GateVerdict.REFUSED
    assert found.publishable_from == "2027-06"
    assert row(found.criteria, "horizon_unobserved")["measured"] == 1.0
    with pytest.raises(IndicatorRefused, match="wait for the vintage of 2027-06") as caught:
        found.raise_if_refused()
    assert "definitive to 2025-09" in caught.value.found


def test_an_earlier_cohort_of_the_same_data_is_published() -> None:
    found = assess(cohort_of_2025(), "rsa_exit", horizon=6, cohort=("2024-06", "2025-03"))
    assert found.verdict is GateVerdict.PUBLISHED
    assert found.publishable_from is None


def test_vintages_mixed_within_one_comparison_are_refused_and_over_a_window_noted() -> None:
    made = cohort_of_2025()
    whole = assess(made, "rsa_exit")
    assert whole.verdict is GateVerdict.WITH_RESERVE
    assert [r.code for r in whole.reserves] == ["mixed_vintages"]
    # Entries from 2024-12 to 2025-04, read 6 months later: of five months read one is provisional.
    mixed = assess(made, "rsa_exit", horizon=6, cohort=("2024-12", "2025-04"))
    assert {r.code for r in mixed.refusals} == {"horizon_unobserved", "mixed_vintages"}
    assert row(mixed.criteria, "mixed_vintages")["measured"] == pytest.approx(0.2)


def test_lags_of_the_gate_file_come_before_what_the_vintage_shows(written: Written) -> None:
    gate = written("lags = { rsa = 9 }\n")
    asked = {"horizon": 12, "cohort": ("2025-01", "2025-12")}
    found = assess(cohort_of_2025(), "rsa_exit", gate=gate, **asked)  # type: ignore[arg-type] # options of assess
    assert found.publishable_from == "2027-09"


def linked(*rows: tuple[str, str, int, int, float | None]) -> Panel:
    rates = pd.DataFrame(
        [(by, group, n, k, k / n, false) for by, group, n, k, false in rows],
        columns=["by", "group", "persons", "linked", "link_rate", "false_link_rate"],
    )
    made = employed()
    return replace(made, linked=Linked(links=made.persons, rates=rates, threshold=0.99))


@pytest.mark.parametrize(
    ("rows", "reserves", "refusals"),
    [
        ([("all", "all", 1000, 960, 0.005)], set(), set()),
        ([("all", "all", 1000, 900, 0.02)], {"unlinked", "false_links"}, set()),
        ([("all", "all", 1000, 800, 0.04)], set(), {"unlinked", "false_links"}),
        ([("all", "all", 1000, 960, None)], set(), set()),
        (
            [
                *[("all", "all", 1000, 970, 0.0), ("arm", "job_search", 500, 500, 0.0)],
                ("arm", "none", 500, 470, 0.0),
            ],
            set(),
            {"unlinked_gap"},
        ),
    ],
)
def test_linkage_overall_and_between_arms(
    rows: list[tuple[str, str, int, int, float | None]], reserves: set[str], refusals: set[str]
) -> None:
    found = assess(linked(*rows), "employment_presence")
    assert {r.code for r in found.reserves} == reserves
    assert {r.code for r in found.refusals} == refusals


def test_completeness_against_an_independent_count(written: Written) -> None:
    count = '[[completeness]]\nsource = "s"\nstate = "employment_cdi"\nmonth = "2020-03"\n'
    gate = written(f'{count}expected = 25\norigin = "the agency"\n')
    found = assess(employed(20), "employment_presence", gate=gate)
    refusal = found.refusals[0]
    assert (refusal.code, refusal.where) == ("completeness", "s, 2020-03 → 2020-03")
    assert refusal.facts["counted"] == 20
    assert refusal.facts["measured"] == pytest.approx(0.2)


def test_a_declared_break_inside_the_window_is_a_reserve(written: Written) -> None:
    declared = '[[breaks]]\nsources = ["s"]\ndescription = "new rule"\nmonth = '
    inside, before = written(f'{declared}"2020-06"\n'), written(f'{declared}"2020-01"\n')
    found = assess(employed(), "employment_presence", gate=inside)
    assert found.verdict is GateVerdict.WITH_RESERVE
    assert found.reserves[0].facts["breaks"] == "2020-06: new rule"
    assert assess(employed(), "employment_presence", gate=before).verdict is GateVerdict.PUBLISHED


def jumping(*months: int) -> Panel:
    """Of 200 persons about 100 are employed each month of three years; 20 in a month that jumps."""
    who = [f"p{k:03d}" for k in range(200)]
    share = 100 + np.random.default_rng(3).integers(-4, 5, size=36)
    share[list(months)] = 20
    rows = [("s", p, "employment", "cdi", JANUARY + m) for m in range(36) for p in who[: share[m]]]
    made = records(who, states=rows, window=("2020-01", "2022-12"))
    return panel(made, "2020-01", "2022-12")


def test_a_jump_nobody_declared(written: Written) -> None:
    declared = "".join(
        f'[[breaks]]\nsources = ["s"]\nmonth = "{m}"\ndescription = "strike"\n'
        for m in ("2021-09", "2021-10")
    )
    assert assess(jumping(), "employment_presence").verdict is GateVerdict.PUBLISHED
    jumped = jumping(20)
    refusal = assess(jumped, "employment_presence").refusals[0]
    assert (refusal.code, refusal.facts["jumps"]) == ("volatility", "2021-09, 2021-10")
    known = assess(jumped, "employment_presence", gate=written(declared))
    assert [r.code for r in known.reserves] == ["declared_breaks"]
    assert known.verdict is GateVerdict.WITH_RESERVE


def test_a_jump_that_comes_back_every_year_is_a_season() -> None:
    found = assess(jumping(8, 20, 32), "employment_presence")
    assert row(found.criteria, "volatility")["measured"] == 0
    assert found.verdict is GateVerdict.PUBLISHED


def test_a_single_declarant_is_a_reserve_and_paid_on_it_a_refusal(written: Written) -> None:
    made = replace(employed(), operator_declared=frozenset({"employment"}))
    assert assess(made, "employment_presence").verdict is GateVerdict.WITH_RESERVE
    paid = assess(made, "employment_presence", gate=written('paid_on = ["employment"]\n'))
    assert [r.code for r in paid.refusals] == ["single_declarant"]


def test_whoever_was_assessed_once_only_cannot_show_a_change() -> None:
    rows = [("s", f"p{k:02d}", "obstacles", JANUARY, 3.0) for k in range(10)]
    rows += [("s", f"p{k:02d}", "obstacles", JANUARY + 6, 1.0) for k in range(5)]
    found = assess(employed(10, measures=rows), "obstacles")
    assert row(found.criteria, "not_reassessed")["measured"] == 0.5
    assert [r.code for r in found.refusals] == ["not_reassessed"]


def test_hidden_cells_cannot_be_found_back_from_the_margins() -> None:
    table = np.array([[8.0, 40.0, 60.0], [30.0, 50.0, 20.0], [90.0, 70.0, 80.0]])
    hidden = protected(table, smallest=11)
    assert hidden[0, 0]
    for mask in (hidden, hidden.T):
        assert not (mask.sum(axis=1) == 1).any()
    assert hidden.sum() == 4
    assert not protected(table + 10, smallest=11).any()


def test_too_many_hidden_cells_refuse_a_table_by_arm() -> None:
    who = [f"p{k:02d}" for k in range(30)]
    rows = [spell(p, "employment", "cdi", "2020-01-01", None) for p in who]
    rows += [
        spell(p, "accompaniment", ("job_search", "aided_contract")[k % 2], "2020-03-01", None)
        for k, p in enumerate(who)
    ]
    markets = {"market": ("category", ["A", "A", "B"] * 10)}
    made = panel(records(who, episodes=rows, attributes=markets))
    assert assess(made, "employment_presence").verdict is GateVerdict.PUBLISHED
    found = assess(made, "employment_presence", arms=("job_search", "aided_contract"))
    assert [r.code for r in found.refusals] == ["hidden_cells"]


WAIVER = """
[[waivers]]
criterion = "months_unseen"
indicator = "employment_presence"
by = "Camille Martin"
on = 2026-03-02
why = "the last quarter is being sent again"
"""


def test_a_named_person_turns_a_refusal_into_a_reserve(written: Written) -> None:
    made = covered(employed(), "employment", last=JANUARY + 9)
    gate = written(WAIVER)
    found = assess(made, "employment_presence", gate=gate)
    assert found.verdict is GateVerdict.WITH_RESERVE
    assert [w.by for w in found.waivers] == ["Camille Martin"]
    assert [r.code for r in found.reserves] == ["months_unseen"]
    assert found.raise_if_refused() is found
    assert found.to_dict()["waivers"][0]["on"] == "2026-03-02"
    other = assess(made, "durable_employment", gate=gate)
    assert (other.verdict, other.waivers) == (GateVerdict.REFUSED, ())


def test_nature_cannot_be_waived(written: Written) -> None:
    with pytest.raises(OptionError, match="activity_not_outcome"):
        written(WAIVER.replace("months_unseen", "activity_not_outcome"))
    gate = written(WAIVER.replace('"employment_presence"', '"interviews_held"'))
    assert assess(employed(), "interviews_held", gate=gate).verdict is GateVerdict.REFUSED


def test_a_file_overrides_the_defaults_key_by_key(written: Written) -> None:
    gate = written("[thresholds.months_unseen]\nrefuse = 0.2\n")
    assert gate.bounds("months_unseen").refuse == 0.2
    assert gate.bounds("months_unseen").reserve == 0.01
    assert gate.bounds("unlinked") == Gate.default().bounds("unlinked")
    made = covered(employed(), "employment", last=JANUARY + 9)
    found = assess(made, "employment_presence", gate=gate)
    assert found.verdict is GateVerdict.WITH_RESERVE
    assert row(found.criteria, "months_unseen")["refuse_above"] == 0.2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[thresholds.months_unsen]\nrefuse = 0.2\n", ["months_unsen", "line 2", "months_unseen"]),
        ("[thresholds.unlinked]\nrefused = 0.2\n", ["refused", "line 3", "refuse"]),
        ("[thresholds.unlinked]\nreserve = 0.4\n", ["reserve above 0.4", "line 2"]),
        ("smalest_cell = 3\n", ["smalest_cell", "smallest_cell", "line 2"]),
        ("paid_on = ['work']\n", ["work", "employment"]),
        (WAIVER.replace("by = ", "bye = "), ["bye", "by"]),
        (WAIVER.replace('"Camille Martin"', '""'), ["waivers"]),
        ("[[breaks]]\nsources = ['s']\nmonth = '2020'\ndescription = 'x'\n", ["YYYY-MM"]),
        ("schema = \n", ["TOML"]),
    ],
)
def test_a_mistake_in_the_file_names_its_key_and_line(
    written: Written, text: str, words: list[str]
) -> None:
    with pytest.raises(OptionError) as caught:
        written(text)
    for word in words:
        assert word in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no such file"):
        Gate.load(tmp_path / "none.toml")


def test_counted_once_or_each_time_the_answer_is_the_same() -> None:
    made = employed(12, attributes={"market": ("category", ["ZE01"] * 12)})
    counted = measure(made)
    for name in ("employment_presence", "durable_employment", "rsa_exit", "interviews_held"):
        once, again = assess(made, name, measured=counted), assess(made, name)
        assert once.to_dict() == again.to_dict()
        pd.testing.assert_frame_equal(once.cells, again.cells)


def test_a_month_outside_a_source_is_wholly_missing_from_it() -> None:
    made = employed(12, blind=[("s", f"p{k:02d}", "employment", JANUARY + 6) for k in range(3)])
    contracts = Coverage(source="c", kind="employment", first=JANUARY, last=JANUARY + 8)
    table = measure(replace(made, coverage=(contracts,))).missingness()
    assert table["source"].unique().tolist() == ["c"]
    assert table["share"].tolist() == pytest.approx([0.0] * 6 + [0.25] * 3 + [1.0] * 3)


def test_a_refused_horizon_hides_nobody_behind_the_average(written: Written) -> None:
    """Entrants weigh by the month they entered in, not by the calendar."""
    who = [f"p{k:02d}" for k in range(20)]
    rows = [spell(p, "employment", "cdi", "2020-01-01", None) for p in who]
    rows += [
        spell(p, "accompaniment", "job_search", "2020-09-01" if k < 15 else "2020-02-01", None)
        for k, p in enumerate(who)
    ]
    made = panel(records(who, episodes=rows))
    found = assess(made, "employment_presence", horizon=6, cohort=("2020-01", "2020-12"))
    assert row(found.criteria, "horizon_unobserved")["measured"] == pytest.approx(0.75)
    assert found.publishable_from == "2021-06"


def test_a_cohort_that_ends_before_it_begins() -> None:
    with pytest.raises(OptionError, match="exchange the two"):
        assess(employed(), "employment_presence", horizon=6, cohort=("2020-05", "2020-01"))


def test_codes_of_the_hand_world_are_those_the_gate_counts() -> None:
    assert set(CODES) <= set(measure(employed()).shown.names())
