"""Pages of treatment that starts at different dates: who starts when, effects by start, how sure."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

import whatworks as ww
from unit.report.evidence_by_hand import make_estimate
from whatworks.design.rollout.territories import territories
from whatworks.evidence.record import Evidence, Finding
from whatworks.ledger import Ledger
from whatworks.report import frames, further, names, rollout, tables, wording, workings
from whatworks.report.compared import compared
from whatworks.report.figures import cells, style
from whatworks.report.figures.svg import Drawing
from whatworks.report.language import Words, words
from whatworks.report.page import page
from whatworks.report.pictures import effects_drawing
from whatworks.report.render import bundle
from whatworks.vocabulary import NEVER, Supply, Verdict

FR, EN = words("fr"), words("en")
LAST = 8
STARTS = np.array([4, 6, 0, 0])


@cache
def rows() -> pd.DataFrame:
    """Twenty-four zones of four units; a quarter start in 4, a quarter in 6, the others never."""
    rng = np.random.default_rng(8)
    unit, period = np.repeat(np.arange(96), LAST), np.tile(np.arange(1, LAST + 1), 96)
    zone = unit // 4
    start = STARTS[zone % 4]
    gain = np.where((start > 0) & (period >= start), 3.0, 0.0)
    value = rng.normal(size=96)[unit] + 0.2 * period + gain + 0.5 * rng.normal(size=unit.size)
    zones = np.array([f"zone {k:02}" for k in range(24)], dtype=object)[zone]
    return pd.DataFrame({"who": unit, "when": period, "start": start, "y": value, "zone": zones})


@cache
def design() -> ww.Design:
    return ww.Design.from_panel(
        rows(), unit="who", period="when", first_treated="start", outcome="y", market="zone"
    )


@cache
def estimate() -> ww.Estimate:
    return ww.CallawaySantAnna(base_period="universal").fit(design())


@cache
def weighed() -> Evidence:
    others = [ww.TwoWayFixedEffects().fit(design())]
    others += [ww.aggregate(estimate(), by=by) for by in ("cohort", "period", "dynamic")]
    return ww.weigh(design(), [estimate(), *others])


def in_months(found: ww.Design) -> ww.Design:
    """The same rollout as if read off a panel of persons, from January 2021 on."""
    january = 2021 * 12 - 1
    entry = found.units["entry_month"]
    moved = entry.where(entry == NEVER, entry + january)
    months = tuple(m + january for m in found.outcomes.months)
    return replace(
        found,
        units=found.units.assign(entry_month=moved),
        outcomes=replace(found.outcomes, months=months),
        ledger=Ledger().add("design", "rollout", unit="persons", before=96),
    )


def numbers(files: dict[str, bytes], name: str) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(files[name]))


def test_the_calendar_counts_units_and_territories_by_start() -> None:
    table = rollout.calendar(design())

    assert table["start"].tolist()[:2] == [4.0, 6.0]
    assert np.isnan(table["start"].iloc[2])
    assert table["units"].tolist() == [24, 24, 48]
    assert table["markets"].tolist() == [6, 6, 12]
    assert set(table["first"]) == {1}
    assert set(table["last"]) == {LAST}


def test_starts_after_the_last_period_are_not_starts() -> None:
    late = design().units["entry_month"].replace(6, LAST + 2)
    found = rollout.calendar(replace(design(), units=design().units.assign(entry_month=late)))

    assert found["units"].tolist() == [24, 72]


def test_fewer_than_eleven_units_of_a_start_are_not_counted() -> None:
    start = design().units["entry_month"].to_numpy().copy()
    start[np.flatnonzero(start == 4)[10:]] = 6
    found = rollout.calendar(replace(design(), units=design().units.assign(entry_month=start)))
    told = rollout.calendar_table(EN, found, clock="period")

    assert np.isnan(found["units"].iloc[0])
    assert told.rows[0][1] == "fewer than 11"
    assert names.cohort_size(FR, found.iloc[0].to_dict(), clock="period").startswith("4")


def test_there_is_no_calendar_where_nothing_rolls_out(panel_evidence: Evidence) -> None:
    assert rollout.calendar(panel_evidence.design).empty
    assert rollout.calendar_drawing(panel_evidence.design, EN) is None


def test_cells_are_the_effects_of_each_start_in_each_period() -> None:
    table = rollout.cells(estimate(), design())

    assert (table["period"] == table["cohort"] + table["month"]).all()
    assert sorted(table["cohort"].unique()) == [4, 6]
    own = estimate().effects
    one = own[(own["cohort"] == 6) & (own["month"] == 1)]["estimate"].iloc[0]
    drawn = table[(table["cohort"] == 6) & (table["period"] == 7)]["estimate"].iloc[0]
    assert drawn == pytest.approx(one, abs=0.05)


def test_cells_fill_their_figure_where_periods_begin_late() -> None:
    table = rollout.cells(estimate(), design())
    ax = style.blank(cells.height(table))[1]
    scale = frames.effect_scale(estimate())
    cells.draw_cells(table[table["period"] >= 4], ax, words=EN, scale=scale, clock="period")

    assert ax.get_xlim() == (0, LAST - 3)


def test_one_start_alone_is_no_comparison_of_starts() -> None:
    effects = estimate().effects
    alone = replace(estimate(), effects=effects[effects["cohort"] != 6].reset_index(drop=True))
    found = replace(weighed(), estimates=(alone,))

    assert rollout.cells_drawing(found, EN) is None
    assert rollout.cells_drawing(weighed(), EN) is not None


def test_a_start_of_fewer_than_eleven_persons_is_not_told_apart() -> None:
    effects = estimate().effects.copy()
    effects.loc[effects["cohort"] == 6, "n_treated"] = 10
    few = replace(estimate(), effects=effects)
    persons = in_months(design())

    assert rollout.cells(few, persons).groupby("cohort")["estimate"].count().tolist() == [8, 0]
    told = frames.effects(replace(weighed(), design=persons, estimates=(few,)))
    hidden = told[told["cohort"] == 6]
    assert hidden[[*frames.HIDDEN, *frames.COUNTS]].isna().all().all()
    assert told.loc[told["cohort"] == -1, "n_treated"].notna().all()
    assert rollout.cells(few, design())["estimate"].notna().any()  # territories are no persons


def test_gaps_are_what_happened_less_the_synthetic_one() -> None:
    paths = pd.DataFrame(
        {
            "cohort": 4,
            "territory": ["a", "a", "b", "b"],
            "period": [3, 4, 3, 4],
            "month": [-1, 0, -1, 0],
            "actual": [1.0, 5.0, 2.0, 6.0],
            "synthetic": [1.0, 3.0, 2.5, 2.0],
        }
    )
    found = replace(estimate(), extras={"paths": paths})
    table = rollout.gaps(found, frames.effect_scale(found))

    assert table["gap"].tolist() == [0.0, 2.0, -0.5, 4.0]
    printed = rollout.gaps_table(EN, table, frames.effect_scale(found))
    assert [row[:2] for row in printed.rows] == [("\N{MINUS SIGN}1", "2"), ("0", "2")]
    drawn = rollout.gaps_drawing(found, EN, clock="period")
    assert drawn is not None
    assert "Territories: 2." in drawn.svg
    assert rollout.gaps_drawing(estimate(), EN, clock="period") is None


def test_sensitivity_shows_the_intervals_of_the_finding_and_no_other() -> None:
    table = pd.DataFrame(
        {
            "set": ["relative_magnitudes", "relative_magnitudes", "smoothness"],
            "departure": [0.0, 1.0, 0.1],
            "conf_low": [1.0, -1.0, 9.0],
            "conf_high": [2.0, 4.0, 9.0],
        }
    )
    finding = Finding(
        check="sensitivity",
        verdict=Verdict.NOT_TESTABLE,
        statistic=float("nan"),
        threshold=1.0,
        table=table,
    )
    found = replace(weighed(), findings=(finding,))
    shown = rollout.sensitivity(found, frames.common_scale(found))
    drawn = rollout.sensitivity_drawing(found, EN)

    assert shown["departure"].tolist() == [0.0, 1.0]
    assert drawn is not None
    assert EN.bounds(-1.0, 4.0, frames.common_scale(found)) in drawn.svg
    assert EN.bounds(9.0, 9.0, frames.common_scale(found)) not in drawn.svg
    assert rollout.sensitivity_drawing(replace(found, findings=()), EN) is None


@pytest.mark.parametrize("speak", [FR, EN], ids=["fr", "en"])
def test_months_are_words_where_a_panel_was_read_and_numbers_in_a_table(speak: Words) -> None:
    persons, month = in_months(design()), speak.month("2021-04")
    read = rollout.calendar_drawing(persons, speak)
    plain = rollout.calendar_drawing(design(), speak)

    assert isinstance(read, Drawing)
    assert isinstance(plain, Drawing)
    assert month in read.svg
    assert month not in plain.svg
    assert "4" in plain.svg


def test_the_question_and_the_verdict_are_those_of_a_rollout() -> None:
    asked = wording.question(FR, weighed())
    said = wording.verdict(EN, weighed())
    rows_ = dict(compared(EN, weighed()))

    assert "du même mois" not in asked
    assert "pas (encore) démarré" in asked
    assert "than if they had moved as the comparison did" in said
    assert "have not started yet, or never do" in rows_["With whom"]
    assert rows_["How many"].startswith("Units that start within the period observed: 48.")
    assert "Effective size" not in rows_
    assert "démarr" in wording.question(FR, replace(weighed(), design=in_months(design())))


def test_a_comparison_with_those_that_never_start_says_so() -> None:
    never = ww.CallawaySantAnna(control="never_treated").fit(design())
    said = dict(compared(EN, replace(weighed(), estimates=(never,))))["With whom"]

    assert said.endswith("those that never start.")


def test_units_that_are_territories_are_told_in_the_flow() -> None:
    found = territories(design())
    told = tables.flow(FR, found.ledger)
    cells_ = {cell for row in told.rows for cell in row}

    assert {"territoires", "Territoires qui démarrent"} <= cells_
    assert not frames.of_persons(found)


def test_the_reference_period_is_marked_and_said_to_be_built() -> None:
    found = frames.curve(estimate())
    drawn = effects_drawing(weighed(), EN)
    view = page(EN, weighed())

    assert found.rows.loc[found.built, "month"].tolist() == [-1]
    assert "reference (zero)" in drawn.svg
    assert "zero by construction" in view.effect.caption
    assert any("zero by construction" in row for row in view.effect.table.rows)


def test_effects_are_read_at_the_start_at_a_few_horizons_and_on_average() -> None:
    view = tables.effects(EN, weighed())
    first = [row[0] for row in view.rows]

    assert first[0] == "at the start"
    assert "single measure" not in " ".join(first)
    assert {"all periods after the start", "mean over starts", "mean over periods"} <= set(first)
    averaged = next(row for row in view.rows if row[0] == "mean over starts")
    assert averaged[-1] == "by period"


def test_a_long_table_of_periods_is_read_at_a_few_of_them() -> None:
    points = [("att", month, "all", 1.0, 1.0) for month in range(-3, 18)]
    only = make_estimate(points, unit="pp", ledger=Ledger())
    question = replace(weighed().design.question, months=tuple(range(18)))
    long = replace(weighed(), design=replace(design(), question=question), estimates=(only,))
    read = frames.reading_months(long)

    assert read[0] == 0
    assert read[-1] == 17
    assert len(read) <= frames.MOST_READ + 1
    assert frames.primary_month(long) in read


def test_averages_by_start_and_by_date_are_printed() -> None:
    (starts,) = [t for t in further.further(EN, weighed()) if t.name == "starts"]
    labels = [row[0] for row in starts.rows]

    assert labels[:2] == ["start: 4", "start: 6"]
    assert {f"read in: {period}" for period in range(4, LAST + 1)} <= set(labels)


def test_what_lies_under_the_checks_is_offered_and_holds_no_count_of_persons() -> None:
    files = bundle(weighed(), lang="en")
    offered = {name for name in files if name.startswith("findings/")}
    shown = {table.name for table in workings.workings(EN, weighed())}

    assert {"findings/sensitivity.csv", "findings/twoway.csv", "findings/clusters.csv"} <= offered
    assert shown == {"inference", "twoway"}
    for name in offered:
        assert not {"n", "n_treated", "n_comparison"} & set(numbers(files, name).columns)


def test_territories_left_out_are_in_the_order_of_their_names() -> None:
    table = pd.DataFrame(
        {
            "market": ["a", "b", "c"],
            "estimate": [3.0, 1.0, 2.0],
            "conf_low": [1.0, 0.0, 1.0],
            "conf_high": [5.0, 2.0, 3.0],
        }
    )
    finding = Finding(
        check="territories", verdict=Verdict.HOLDS, statistic=0.1, threshold=1.0, table=table
    )
    (told,) = workings.workings(FR, replace(weighed(), findings=(finding,)))

    assert [row[0] for row in told.rows] == ["a", "b", "c"]
    assert "alphabétique" in told.caption


def test_weights_of_a_regression_on_a_panel_with_gaps_are_told_by_their_sign() -> None:
    table = pd.DataFrame({"cohort": [4, 4, 6], "period": [4, 5, 6], "weight": [0.7, 0.5, -0.2]})
    finding = Finding(
        check="twoway", verdict=Verdict.STRAINED, statistic=2.0, threshold=1.0, table=table
    )
    (told,) = workings.workings(EN, replace(weighed(), findings=(finding,)))

    assert [row[1] for row in told.rows] == ["120.0%", "\N{HYPHEN-MINUS}20.0%"]


def groups(*, small: int = 388) -> Evidence:
    terms = [
        ("att", 0, "all", 5.0, 1.0),
        ("att", 0, "sex=woman", 6.0, 1.5),
        ("att", 0, "sex=man", 4.0, 1.5),
        ("difference", 0, "sex=man - sex=woman", -2.0, 2.0),
        ("quantile", 0, "q0.25", 3.0, 1.0),
        ("share_above", 0, ">1000", 2.0, 1.0),
        ("gates", 0, "gates_1", 1.0, 1.0),
        ("difference", 0, "gates_2 - gates_1", 1.0, 1.0),
        ("att_dose", 0, "25.8", 1.0, 1.0),
    ]
    made = make_estimate(terms, unit="pp", ledger=Ledger())
    effects = made.effects.copy()
    effects.loc[effects["group"] == "sex=man", "n_treated"] = small
    return replace(weighed(), estimates=(replace(made, effects=effects),))


def test_groups_quantiles_gains_and_doses_have_each_their_table_in_words() -> None:
    told = {table.name: table for table in further.further(EN, groups())}

    assert list(told) == ["groups", "gains", "doses", "distribution"]
    assert [row[0] for row in told["groups"].rows] == [
        "sex: woman",
        "sex: man",
        "sex: man minus sex: woman",
    ]
    assert [row[0] for row in told["distribution"].rows] == ["25% quantile", "above 1,000"]
    assert told["gains"].rows[0][0] == "predicted gain, group 1"
    assert told["doses"].rows[0][0] == "dose 25.8"


def test_a_group_of_ten_hides_its_numbers_and_the_difference_that_would_tell_them() -> None:
    (told, *_) = further.further(EN, groups(small=10))
    hidden = [row[-1] for row in told.rows]

    assert hidden == ["1,164", "fewer than 11", "fewer than 11"]
    files = bundle(groups(small=10), lang="en")
    table = numbers(files, "effects.csv").set_index("group")
    assert table.loc[["sex=man", "sex=man - sex=woman"], "estimate"].isna().all()
    strand = json.loads(files["effects.json"])["effects"]
    (man,) = [row for row in strand if row["group"] == "sex=man"]
    assert man["estimate"] is None
    assert man["n_treated"] is None
    assert man["group_label"] == "sex: man"


def test_files_keep_codes_beside_words() -> None:
    table = numbers(bundle(groups(), lang="en"), "effects.csv")

    assert table.loc[1, ["group", "group_label", "term_label"]].tolist() == [
        "sex=woman",
        "sex: woman",
        "Average effect",
    ]


def test_who_is_still_followed_is_printed_where_later_starters_leave(
    panel_evidence: Evidence,
) -> None:
    assert further.followed(EN, panel_evidence) is None
    months = pd.DataFrame(
        {
            "month": [0, 6, 24],
            "n_followed": [400, 300, 10],
            "share_started": [0.0, 0.2, 0.9],
            "share_unseen": [0.0, 0.05, 0.08],
            "mean_weight": [1.0, 1.2, 3.0],
            "max_weight": [1.0, 2.5, 9.0],
            "n_capped": [0, 0, 1],
            "effective_n": [400.0, 250.4, 4.0],
        }
    )
    outcomes = replace(panel_evidence.design.outcomes, followed=months)
    censored = replace(panel_evidence, design=replace(panel_evidence.design, outcomes=outcomes))
    table = further.followed(EN, censored)

    assert table is not None
    assert table.rows[0] == ("at 6 months", "300", "20.0%", "5.0%", "2.5", "250")
    assert set(table.rows[1][1:]) == {"fewer than 11"}


def test_a_design_draws_its_calendar_before_its_outcomes() -> None:
    assert isinstance(design().plot("calendar"), Axes)
    entered = replace(design(), supplies=design().supplies - {Supply.ROLLOUT})
    with pytest.raises(ww.WhatworksError, match="figure 'calendar'"):
        entered.plot("calendar")


def test_sentences_of_checks_count_the_periods_of_a_table() -> None:
    said = " ".join(row[2] for row in tables.findings(EN, weighed()).rows)

    assert "Between 3 periods and" in said or "5 periods" in said
    assert "month" not in said
