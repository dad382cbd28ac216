"""Who was compared with whom, said in words: whatever the comparator, the estimand and the seal."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from unit.report.evidence_by_hand import make_estimate
from whatworks import WhatworksError
from whatworks.design import Design
from whatworks.design.looking.seal import Seal
from whatworks.evidence.record import Evidence
from whatworks.report import frames, names, plot_design, tables, wording
from whatworks.report.compared import compared, seal, versus, who
from whatworks.report.language import words
from whatworks.report.pictures import history_drawing
from whatworks.report.render import bundle
from whatworks.vocabulary import Estimand, LaterStarts, Versus

FR, EN = words("fr"), words("en")
DIGEST = "ab" * 32


def asked(evidence: Evidence, **changed: object) -> Evidence:
    question = replace(evidence.design.question, **changed)  # type: ignore[arg-type] # named fields
    return replace(evidence, design=replace(evidence.design, question=question))


def history(months: int = 24) -> pd.DataFrame:
    since = np.arange(-months, 0)
    rows = [
        pd.DataFrame(
            {
                "state": state,
                "month": since,
                "treated": top * (1 + since / 48),
                "comparison": np.where(since == -3, np.nan, 0.9 * top),
                "smd": 0.01,
            }
        )
        for state, top in (("employment", 0.4), ("benefit", 1.0), ("accompaniment", 0.0))
    ]
    return pd.concat(rows, ignore_index=True)


@pytest.mark.parametrize("against", Versus)
def test_every_comparator_has_its_sentence_and_its_question(
    panel_evidence: Evidence, against: Versus
) -> None:
    given = asked(panel_evidence, versus=str(against))
    for speak in (FR, EN):
        assert versus(speak, given.design)
        assert wording.question(speak, given).endswith("?")


def test_another_type_is_named_in_the_question(panel_evidence: Evidence) -> None:
    given = asked(panel_evidence, versus="aided_contract")
    assert "persons who entered an aided contract" in wording.question(EN, given)
    assert "entrées en contrat aidé" in versus(FR, given.design)


@pytest.mark.parametrize("later", LaterStarts)
def test_those_who_start_later_are_told(panel_evidence: Evidence, later: LaterStarts) -> None:
    design = asked(panel_evidence, later_starts=str(later)).design
    assert ("leaves the comparison" in versus(EN, design)) is (later is LaterStarts.CENSOR)


def test_conditioning_on_the_future_is_said_where_it_is_done(panel_evidence: Evidence) -> None:
    design = asked(panel_evidence, versus=str(Versus.NEVER_IN_WINDOW)).design
    assert "ce qui leur est arrivé ensuite" in versus(FR, design)
    assert "ce qui leur est arrivé ensuite" not in versus(FR, panel_evidence.design)


@pytest.mark.parametrize("estimand", Estimand)
def test_every_estimand_is_told(panel_evidence: Evidence, estimand: Estimand) -> None:
    given = asked(panel_evidence, estimand=str(estimand))
    rows = dict(compared(EN, given))
    assert rows["Effect for whom"] == EN.text(f"estimand.{estimand.lower()}")


def test_a_seal_says_when_and_whether_it_came_before(panel_evidence: Evidence) -> None:
    design = panel_evidence.design
    for before, said in ((True, "avant que le moindre résultat"), (False, "étaient déjà ouverts")):
        made = Seal(digest=DIGEST, date="2026-11-23", before_outcomes=before)
        told = seal(FR, replace(design, seal=made))
        assert said in told
        assert DIGEST in told
        assert "23/11/2026" in told
    assert seal(EN, design).startswith("Nothing attests it")


def test_a_table_attests_nothing(table_evidence: Evidence) -> None:
    assert "already held the outcomes" in seal(EN, table_evidence.design)


def test_weighted_designs_say_how_many_they_keep(panel_evidence: Evidence) -> None:
    weighted = replace(panel_evidence.design, matches=None)
    assert "weighted, not matched" in who(EN, weighted)
    everyone = replace(weighted.population, n_treated=4, n_comparison=8)
    assert "All are kept" in who(EN, replace(weighted, population=everyone))


def test_the_machine_reads_the_seal_and_the_sizes(panel_evidence: Evidence) -> None:
    made = Seal(digest=DIGEST, date="2026-11-23", before_outcomes=True)
    design = replace(panel_evidence.design, seal=made)
    strand = json.loads(bundle(replace(panel_evidence, design=design), lang="en")["effects.json"])
    assert strand["design"] == {
        "sealed": True,
        "before_outcomes": True,
        "sha256": DIGEST,
        "date": "2026-11-23",
        "units": {"treated": 4, "comparison": 8},
        "effective_size": {"treated": 4.0, "comparison": 8.0},
        "left_out": {"treated": 43},
    }


def test_histories_are_drawn_told_and_tabled(panel_evidence: Evidence) -> None:
    design = replace(panel_evidence.design, history=history())
    drawn = history_drawing(design, EN)
    assert drawn is not None
    assert "in employment: 24 months before entry, 20.0% of those who entered" in drawn.svg
    assert set(drawn.data["state"]) == {"employment", "benefit"}  # nobody was accompanied
    table = tables.history(EN, frames.history(design))
    assert len(table.rows) == 48
    files = bundle(replace(panel_evidence, design=design), lang="fr")
    assert "figures/history.svg" in files
    assert "Les mois d'avant l'entrée".replace("'", "&#39;") in files["index.html"].decode()


def test_without_a_panel_there_is_no_history(panel_evidence: Evidence) -> None:
    assert history_drawing(panel_evidence.design, FR) is None


def test_those_left_out_are_printed_furthest_first(panel_evidence: Evidence) -> None:
    frame = frames.left_out(panel_evidence.design)
    assert frame["smd"].is_monotonic_decreasing
    table = tables.left_out(EN, frame)
    assert table is not None
    assert table.rows[0][-1] == "+0.500"


@pytest.mark.parametrize("kind", ["balance", "overlap", "history", "flow"])
def test_a_design_is_drawn_before_its_outcomes(panel_evidence: Evidence, kind: str) -> None:
    design: Design = replace(panel_evidence.design, history=history())
    assert isinstance(design.plot(kind), Axes)


def test_a_figure_nothing_can_be_drawn_of_is_refused(table_evidence: Evidence) -> None:
    with pytest.raises(WhatworksError, match="figure 'history'"):
        table_evidence.design.plot("history")
    with pytest.raises(WhatworksError, match="kind: needed one of balance"):
        plot_design(table_evidence.design, "loves")


def test_joint_bands_are_drawn_where_they_are_wider(panel_evidence: Evidence) -> None:
    joint = frames.curve(panel_evidence.estimates[0])
    assert frames.has_bands(joint)
    alone = make_estimate(
        [("att", 12, "all", 2.0, 1.0)], unit="pp", ledger=panel_evidence.design.ledger
    )
    assert not frames.has_bands(frames.curve(alone))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("employment.spells24", "in employment, number of spells over the 24 months before entry"),
        ("employment.transitions12", "in employment, number of changes over the 12 months before"),
        ("employment.since24", "in employment, months since the last time (25 when longer ago)"),
        ("employment.since", "in employment, months since the last time"),
        ("joblessness.elapsed", "jobless, months it had lasted at entry"),
        ("tightness.lag1", "labour-market tightness 1 month before entry"),
        ("household.size", "number of persons in the household"),
        ("departement=08", "département: 08"),
    ],
)
def test_terms_of_histories_and_places_are_words(name: str, said: str) -> None:
    assert names.covariate(EN, name).startswith(said)
    assert "." not in names.covariate(FR, name)
