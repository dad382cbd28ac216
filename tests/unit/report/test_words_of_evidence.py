"""Names and sentences: what is ours is translated, what is the user's is left alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from unit.report.evidence_by_hand import make_estimate
from whatworks.evidence.record import Deduction, Evidence, Finding, Refusal
from whatworks.ledger import Ledger
from whatworks.report import facts, frames, names, wording
from whatworks.report.language import FIXED, MINUS, MissingTextError, words
from whatworks.report.numbers import Scale
from whatworks.vocabulary import Conclusion, Impact, Verdict

FR, EN = words("fr"), words("en")
PP = Scale(unit="pp", decimals=1)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("employment.lag1", "in employment 1 month before entry"),
        ("benefit_rsa.months12", "receiving RSA, months out of the 12 before entry"),
        ("employment_cdi.lag3", "on a permanent contract 3 months before entry"),
        ("employment_odd.lag3", "in employment (odd) 3 months before entry"),
        ("employment.months", "in employment, months since the panel began"),
        ("birth_month.age", "age at entry"),
        ("market=ZE01", "employment zone: ZE01"),
        ("Grammar=yes", "Grammar: yes"),
        ("gcse5eq", "gcse5eq"),
        ("market=other", "employment zone: other (rare levels)"),
        ("education_level=vocational", "education level: vocational"),
        ("education_level=licence", "education level: licence"),
    ],
)
def test_covariates_are_read_from_their_parts(name: str, said: str) -> None:
    assert names.covariate(EN, name) == said


def test_a_users_outcome_and_treatment_are_quoted() -> None:
    assert names.outcome(EN, "lemp", "label") == "Variable “lemp”"
    assert names.treatment(FR, "treat", "start") == f"Recevoir le traitement «{FIXED}treat{FIXED}»"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sex=woman", f"sexe{FIXED}: femme"),
        ("education_level=no_certificate", f"niveau d'études{FIXED}: sans diplôme"),
        ("market=other", f"zone d'emploi{FIXED}: autres (modalités rares)"),
        ("belfast", "région de Belfast"),
        ("re75", "revenu d'activité de 1975"),
        ("stature", "stature"),
    ],
)
def test_the_words_of_the_demonstration_are_french_on_a_french_page(name: str, said: str) -> None:
    assert names.covariate(FR, name) == said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("all", "all"),
        ("pooled", "pooled regression"),
        ("0.25", "25% of persons supported"),
        ("1.0", "100% of persons supported"),
        ("nan", "nan"),
        ("women", "women"),
    ],
)
def test_a_group_is_a_share_only_when_it_is_written_as_one(name: str, said: str) -> None:
    assert names.group(EN, name) == said


def test_sources_of_the_demonstration_are_named_and_a_users_left_alone() -> None:
    steps = Ledger().add("sources", "contracts", unit="rows", before=3)
    steps = steps.add("sources", "paie_2021", unit="rows", before=3).steps

    assert [names.step(FR, step) for step in steps] == [
        f"Fichiers «{FIXED}contrats{FIXED}»",
        f"Fichiers «{FIXED}paie_2021{FIXED}»",
    ]


@pytest.mark.parametrize(
    ("outcome", "ending"),
    [("employment_presence", "présence en emploi"), ("rsa_exit", "sortie du RSA")],
)
def test_a_title_made_here_goes_on_in_lower_case(
    panel_evidence: Evidence, outcome: str, ending: str
) -> None:
    asked = replace(panel_evidence.design.question, outcome=outcome)
    evidence = replace(panel_evidence, design=replace(panel_evidence.design, question=asked))

    assert names.title(FR, evidence) == f"Formation{FIXED}: {ending}"


def test_a_title_keeps_the_capitals_of_an_acronym(panel_evidence: Evidence) -> None:
    texts = {**FR.texts, "indicator.employment_presence.label": "RSA touché"}

    assert names.title(replace(FR, texts=texts), panel_evidence).endswith(": RSA touché")


def test_provenance_of_a_file_is_named_and_a_users_key_left_alone() -> None:
    assert names.proof(EN, "file:rsa.csv") == "Fingerprint of the file “rsa.csv”"
    assert names.proof(EN, "seed") == "seed"


def test_the_question_names_the_comparator(panel_evidence: Evidence) -> None:
    said = wording.question(EN, panel_evidence)

    assert said == (
        "Does starting training increase presence in employment, compared with people of the same "
        "month who have not (yet) started?"
    )


@pytest.mark.parametrize(
    ("impact", "estimate", "part"),
    [
        (Impact.MODERATE, 4.0, "4.0 more in employment at 24 months than in the comparison group"),
        (Impact.NEGATIVE, -4.0, "4.0 fewer in employment at 24 months"),
        (Impact.INCONCLUSIVE, 1.0, "these data cannot tell whether it is more or fewer"),
        (Impact.NONE_DETECTED, 0.2, "leaves room only for a small effect in either direction"),
        (Impact.NOT_MEASURED, 0.0, "The effect was not measured."),
    ],
)
def test_the_verdict_has_its_interval_and_its_doubt(
    panel_evidence: Evidence, impact: Impact, estimate: float, part: str
) -> None:
    only = make_estimate([("att", 24, "all", estimate, 1.0)], unit="pp", ledger=Ledger())
    said = wording.verdict(EN, replace(panel_evidence, estimates=(only,), impact=impact))

    assert part in said
    assert impact is Impact.NOT_MEASURED or "95% interval" in said


@pytest.mark.parametrize(
    ("conclusion", "ending"),
    [
        (Conclusion.ESTABLISHED, "percentage points)."),
        (Conclusion.SUGGESTED, "This is an indication to be confirmed."),
        (Conclusion.NOT_ESTABLISHED, "This difference is not enough to establish an effect."),
    ],
)
def test_a_clear_interval_is_not_yet_an_established_effect(
    panel_evidence: Evidence, conclusion: Conclusion, ending: str
) -> None:
    clear = replace(panel_evidence, impact=Impact.HIGH, conclusion=conclusion)

    assert wording.verdict(EN, clear).endswith(ending)


def test_the_verdict_of_a_total_effect_says_so(saturation_evidence: Evidence) -> None:
    said = wording.verdict(EN, saturation_evidence)
    read = wording.displacement(EN, saturation_evidence)

    assert said.startswith("Total effect: the persons supported, against markets without")
    assert [line.split(":")[0] for line in read] == [
        "Direct effect",
        "Effect on others",
        "Total effect",
    ]


def test_the_fall_is_told_with_its_months(panel_evidence: Evidence) -> None:
    curve = frames.curve(panel_evidence.estimates[0])

    assert wording.lock_in(FR, curve, clock="month").startswith(
        f"De 0 à 9 mois après l'entrée, l'estimation est au-dessous de zéro (au plus bas{FIXED}: "
        f"{MINUS}11,0 points)"
    )


def test_a_dip_within_the_margin_of_error_is_not_called_a_lock_in() -> None:
    points = [(0, -1.0), (1, -2.0), (2, 0.5), (3, 1.0)]
    rows = [("att", month, "all", point, 3.0) for month, point in points]
    curve = frames.curve(make_estimate(rows, unit="pp", ledger=Ledger()))

    assert wording.lock_in(EN, curve, clock="month") == (
        f"Just after entry the estimate is below zero (at its lowest: {MINUS}2.0 percentage "
        "points), but always within the margin of error: nothing allows one to speak of lock-in."
    )


def test_months_whose_zero_was_built_are_not_told_as_likeness(panel_evidence: Evidence) -> None:
    rows = [("att", m, "all", 0.0, 0.0) for m in (-2, -1)]
    rows += [("att", m, "all", 4.0, 1.0) for m in range(25)]
    only = make_estimate(rows, unit="pp", ledger=Ledger())
    said = wording.effects_told(EN, replace(panel_evidence, estimates=(only,)))

    assert said.startswith("Curve of the estimated effect, from 0 to 24 months since entry.")
    assert "Before entry" not in said


def test_a_table_without_a_market_is_told_so(
    table_evidence: Evidence, panel_evidence: Evidence
) -> None:
    design = table_evidence.design
    unplaced = replace(design, units=design.units.assign(market=None))
    statement = panel_evidence.displacement
    told = [
        wording.displacement_text(EN, replace(e, displacement=statement))
        for e in (replace(table_evidence, design=unplaced), table_evidence, panel_evidence)
    ]

    assert told[0].startswith("The table provided does not say which market each unit")
    assert told[1] == told[2] == EN.text("displacement.not_measured.text")
    assert "may look for work on the same market" in told[1]


def test_a_strength_of_nil_is_not_said_to_be_only_nil() -> None:
    lost = [
        Deduction(code="weak_evidence", points=0, facts={"strength": n, "cap": 2}) for n in (0, 1)
    ]

    assert [facts.deduction(EN, PP, one, "text") for one in lost] == [
        "The strength of evidence is nil (0 out of 5).",
        "The strength of evidence is only 1 out of 5.",
    ]


def test_an_horizon_not_estimated_is_named() -> None:
    lost = Deduction(code="primary_not_estimated", points=0, facts={"month": 24})

    assert "24 months after entry" in facts.deduction(EN, PP, lost, "text")


def test_a_refusal_says_its_period_and_its_state_in_words() -> None:
    refused = Refusal(
        code="no_spells",
        what="employment_presence",
        where="contrats, 2019-01 → 2023-12",
        facts={"kind": "employment"},
    )

    assert facts.refusal(FR, PP, refused, "where") == "contrats, janvier 2019 à décembre 2023"
    assert "(en emploi)" in facts.refusal(FR, PP, refused, "why")


def test_facts_are_formatted_by_what_they_mean() -> None:
    found = Finding(
        check="placebo",
        verdict=Verdict.HOLDS,
        statistic=0.4,
        threshold=0.05,
        facts={
            "first": -24,
            "last": -19,
            "n": 6,
            "estimate": -0.34,
            "p_value": 0.4123,
            "unit": "pp",
        },
    )
    said = facts.finding(FR, PP, found)

    assert said.startswith("Entre 24 mois et 19 mois avant l'entrée, l'écart est de −0,3 point")
    assert "0,412" in said


def test_a_deduction_of_an_interval_reads_as_one_interval() -> None:
    lost = Deduction(code="interval_includes_zero", points=0, facts={"low": -0.5, "high": 9.1})

    assert facts.deduction(EN, PP, lost, "text") == (
        f"The 95% interval runs from {MINUS}0.5 to 9.1 percentage points: it contains zero."
    )


def test_missing_causes_and_missing_states_are_each_named() -> None:
    missing = json.dumps({"fr": ["Santé", "Logement"], "en": ["Health", "Housing"]})
    lost = Deduction(code="identification", points=1, facts={"missing": missing})
    refused = Refusal(
        code="unknown_states", what="rsa_exit", where="", facts={"missing": "benefit_rsa"}
    )

    assert "health; housing" in facts.deduction(EN, PP, lost, "text")
    assert "receiving RSA" in facts.refusal(EN, PP, refused, "why")


def test_a_refusal_without_the_facts_of_its_sentence_raises() -> None:
    refused = Refusal(code="dropped_rows", what="rsa_exit", where="rsa")

    with pytest.raises(MissingTextError, match="measured"):
        facts.refusal(EN, PP, refused, "why")
