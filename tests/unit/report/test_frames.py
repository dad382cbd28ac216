"""What is read off the evidence: curve, horizon, fall after entry, coverage, flow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from unit.report.evidence_by_hand import make_estimate, walk_ledger
from whatworks.design import Design
from whatworks.evidence.record import Benchmark, Evidence
from whatworks.ledger import Ledger
from whatworks.report import frames


def curve(points: dict[int, float], *, error: float = 1.0) -> frames.Curve:
    rows = [("att", month, "all", value, error) for month, value in points.items()]
    return frames.curve(make_estimate(rows, unit="pp", ledger=Ledger()))


@pytest.mark.parametrize(
    ("points", "found"),
    [
        ({-1: -9.0, 0: -2.0, 1: -1.0, 2: 0.5, 3: -1.0}, (0, 1)),
        ({0: 0.0, 1: -1.0, 2: -1.0, 3: 4.0}, (1, 2)),
        ({0: 0.0, 1: 0.0, 2: -3.0}, None),
        ({-2: -5.0, -1: -5.0, 0: 1.0, 1: 2.0, 2: 3.0}, None),
        ({0: -0.04, 1: 1.0, 2: 2.0}, None),
        ({0: -1.0, 6: -1.0, 12: 2.0}, (0, 6)),
    ],
)
def test_the_fall_after_entry_is_one_unbroken_run_from_entry(
    points: dict[int, float], found: tuple[int, int] | None
) -> None:
    assert curve(points).below_zero() == found


@pytest.mark.parametrize(
    ("points", "error", "found"),
    [
        ({0: -2.0, 1: -3.0, 2: -2.0, 3: 1.0}, 1.0, (0, 2)),
        ({0: -2.0, 1: -3.0, 2: -2.0, 3: 1.0}, 2.0, None),
        ({0: -1.0, 1: 1.0, 2: -9.0}, 1.0, None),
        ({0: 1.0, 1: 1.0, 2: -9.0}, 1.0, None),
    ],
)
def test_a_fall_is_a_lock_in_only_beyond_the_margin_of_error(
    points: dict[int, float], error: float, found: tuple[int, int] | None
) -> None:
    assert curve(points, error=error).lock_in() == found


def test_only_a_zero_before_entry_without_an_error_of_its_own_was_built() -> None:
    rows = [
        ("att", -4, "all", 0.0, 1.0),
        ("att", -3, "all", 1.2, 0.0),
        ("att", -2, "all", 0.0, 0.0),
        ("att", -1, "all", 0.0, 0.0),
        ("att", 0, "all", 0.0, 0.0),
        ("att", 1, "all", 2.0, 1.0),
    ]
    found = frames.curve(make_estimate(rows, unit="pp", ledger=Ledger()))

    assert found.rows.loc[found.built, "month"].tolist() == [-2, -1]
    assert found.drawn["month"].tolist() == [-4, -3, 0, 1]
    assert found.months == (-4, -3, -2, -1, 0, 1)


def test_the_curve_is_the_total_where_there_is_one(saturation_evidence: Evidence) -> None:
    curve = frames.curve(saturation_evidence.estimates[0])

    assert curve.term == "total"
    effects = saturation_evidence.estimates[0].effects
    everyone = effects[(effects["term"] == "total") & (effects["group"] == "all")]
    assert curve.rows["estimate"].tolist() == everyone["estimate"].round(1).tolist()


def test_horizons_are_those_of_the_question_that_were_estimated(
    panel_evidence: Evidence, table_evidence: Evidence
) -> None:
    assert frames.reading_months(panel_evidence) == (6, 12, 18, 24)
    assert frames.primary_month(panel_evidence) == 24
    assert frames.reading_months(table_evidence) == (0,)
    assert frames.primary_month(table_evidence) == 0


def test_a_table_counts_periods_and_a_panel_months(
    panel_evidence: Evidence, table_evidence: Evidence
) -> None:
    assert frames.clock(panel_evidence.design) == "month"
    assert frames.clock(table_evidence.design) == "period"


def test_a_table_counted_by_arm_is_still_a_table(table_evidence: Evidence) -> None:
    ledger = Ledger()
    for arm in ("treated", "comparison"):
        ledger = ledger.add("design", f"table_{arm}", unit="rows", before=10)

    assert frames.from_table(replace(table_evidence.design, ledger=ledger))


@pytest.mark.parametrize(
    ("code", "value", "covered"),
    [
        ("truth", 250.0, "no"),
        ("truth", 252.3, "yes"),
        ("experiment", 3490.9, "yes"),
        ("experiment", 3500.0, "no"),
        ("naive", 1800.0, "not_applicable"),
    ],
)
def test_coverage_is_read_on_the_numbers_the_reader_sees(
    table_evidence: Evidence, code: str, value: float, covered: str
) -> None:
    known = Benchmark(code=code, month=0, value=value)

    assert frames.covered(table_evidence, known) == covered


def test_a_number_known_at_a_month_never_estimated_cannot_be_covered(
    table_evidence: Evidence,
) -> None:
    known = Benchmark(code="truth", month=12, value=1800.0)
    table = frames.benchmarks(replace(table_evidence, benchmarks=(known,)))

    assert table["covered"].tolist() == ["not_applicable"]
    assert table["estimate"].isna().all()


def test_effects_of_every_estimate_keep_their_rank(panel_evidence: Evidence) -> None:
    effects = frames.effects(panel_evidence)

    assert effects.groupby("result")["method"].unique().map(list).tolist() == [
        ["MatchedDifference"],
        ["MatchedDiD"],
    ]
    assert len(effects) == 49 + 4


def test_a_ledger_carried_by_the_estimate_is_not_counted_twice(panel_evidence: Evidence) -> None:
    assert frames.ledger(panel_evidence) == walk_ledger()

    longer = walk_ledger().add("estimate", "fit", unit="units", before=3)
    carried = replace(panel_evidence.estimates[0], ledger=longer)
    assert frames.ledger(replace(panel_evidence, estimates=(carried,))) == longer

    alone = replace(
        panel_evidence.estimates[0], ledger=Ledger().add("estimate", "fit", unit="units", before=3)
    )
    assert frames.ledger(replace(panel_evidence, estimates=(alone,))) == longer


def test_balance_of_a_design_is_that_of_its_population(panel_evidence: Evidence) -> None:
    design: Design = panel_evidence.design
    table = frames.balance_of(design).set_index("covariate")
    name = design.covariates[0]

    assert list(table.index) == list(design.covariates)
    assert table.loc[name, "smd_before"] == pytest.approx(-0.3, abs=5e-4)
    assert table.loc[name, "smd_after"] == pytest.approx(-0.03, abs=5e-4)
    assert table.loc[name, "ks_before"] == pytest.approx(0.1, abs=5e-4)
