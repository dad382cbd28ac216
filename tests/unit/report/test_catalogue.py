"""The two catalogues say the same things, everything the product can ask, and nothing more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import matplotlib as mpl
import pytest

from whatworks import evidence
from whatworks.estimate.shares.net_rows import RATIOS
from whatworks.evidence import checks, rating
from whatworks.evidence.record import OF_OTHERS
from whatworks.indicators import indicators
from whatworks.indicators.assessment import CRITERIA
from whatworks.indicators.impossible import IMPOSSIBLE
from whatworks.report import facts, language, tables
from whatworks.report.language import LANGUAGES, MissingTextError, words
from whatworks.stats.clusters.rules import REFERENCES
from whatworks.stats.did.bacon import EARLIER, LATER, UNTREATED
from whatworks.vocabulary import (
    Accompaniment,
    Conclusion,
    DesignClass,
    Estimand,
    Impact,
    Kind,
    LaterStarts,
    Nature,
    Unidentified,
    Verdict,
    Versus,
)

ROOM = Path(language.__file__).parent
PACKAGE = ROOM.parent
CHECKS = sorted(p.stem for p in Path(checks.__file__).parent.glob("*.py") if p.stem != "__init__")
CHECKS_TO_COME = ["identification"]
DEDUCTIONS = [
    "attrition",
    "check_failed",
    "data_reserve",
    "few_clusters",
    "fragile_trends",
    "identification",
    "imbalance",
    "interval_includes_zero",
    "low_power",
    "operator_declared",
    "placebo_failed",
    "primary_not_estimated",
    "short_history",
    "single_territory",
    "unadjusted",
    "weak_evidence",
    "weak_overlap",
]
REFUSALS = [
    *IMPOSSIBLE,
    *(criterion.name for criterion in CRITERIA),
    "not_covered",
    "operator_only",
]
FOUR_THINGS = ["title", "what", "why", "where", "remedy"]


PARTS = {
    "check": ("label", "question"),
    "finding": tuple(Verdict),
    "deduction": ("text", "lifted_by"),
    "refusal": FOUR_THINGS,
    "impact": ("label", "meaning"),
    "conclusion": ("label", "meaning"),
    "design_class": ("label", "explanation"),
    "treatment": ("label", "start", "persons"),
    "indicator": ("label", "object", "state", "horizon", "definition", "switches"),
    "displacement": ("title", "text"),
    "lack": ("text", "lifted_by", "short"),
    "quantity": ("label", "definition", "short"),
    "term": ("label", "short"),
    "benchmark": ("label", "short"),
    "unit": ("one", "other", "axis"),
}
CODES = {
    "check": (*CHECKS, *CHECKS_TO_COME),
    "finding": (*CHECKS, *CHECKS_TO_COME),
    "deduction": DEDUCTIONS,
    "refusal": REFUSALS,
    "impact": tuple(Impact),
    "conclusion": tuple(Conclusion),
    "design_class": tuple(DesignClass),
    "treatment": (*Accompaniment, "training", "unlisted"),
    "indicator": (*indicators(Nature.OUTCOME), "re78"),
    "displacement": (
        "not_measured",
        "markets_only",
        "not_read",
        "direct_only",
        "one_market",
        "no_saturation_variation",
        "saturation_not_randomised",
        "measured",
    ),
    "lack": tuple(Unidentified),
    "quantity": ("net_assigned", *RATIOS),
    "term": (
        *(estimand.lower() for estimand in Estimand),
        *("direct", *OF_OTHERS, "slope_assigned", "slope_unassigned"),
        *("quantile", "share_above", "gates", "difference"),
        *("average", "cohort", "period", "att_dose", "acrt", "acrt_dose"),
        *("ordinary", "contamination", "triple", "trend_gap", "net_pool"),
        *("direct_participants", "spillover_participation"),
    ),
    "benchmark": ("truth", "experiment", "naive"),
    "unit": ("pp", "months", "eur_month", "usd", "none"),
}
FURTHER = ("starts", "groups", "gains", "doses", "distribution")
NOT_LEGAL = (
    *("used", "legal", "one_arm", "one_treated", "few_in_arm", "few_clusters", "low_df"),
    *("no_assignment", "few_assignments", "undefined", "no_regression"),
)
KINDS_OF_MEASURE = {*tables.MEASURES.values(), "twentieths", "number"} - {"none"}
NOT_OUTCOMES = tuple(nature for nature in Nature if nature is not Nature.OUTCOME)


def expected() -> set[str]:
    """Keys the rest of the product can call for, from its own vocabulary."""
    keys = {
        f"{family}.{code}.{part}"
        for family, codes in CODES.items()
        for code in codes
        for part in PARTS[family]
    }
    keys |= {f"indicator.{name}.label" for n in NOT_OUTCOMES for name in indicators(n)}
    keys |= {f"nature.{nature}" for nature in NOT_OUTCOMES}
    keys |= {f"verdict_of_check.{verdict}" for verdict in Verdict}
    keys |= {f"{clock}.{form}" for clock in ("month", "period") for form in ("since", "many")}
    keys |= {f"{clock}.count.{n}" for clock in ("month", "period") for n in ("one", "other")}
    keys |= {f"state.{kind}" for kind in Kind}
    keys |= {
        f"{asked}.{v}" for asked in ("versus", "question") for v in (*Versus, "table", "another")
    }
    keys |= {f"later_starts.{choice}" for choice in LaterStarts}
    keys |= {f"measure.{kind}.{part}" for kind in KINDS_OF_MEASURE for part in ("found", "bound")}
    keys |= {f"group.{name}" for name in ("all", "saturation", "pooled")} | {"level.other"}
    keys |= {f"inference.{method}.short" for method in REFERENCES}
    keys |= {f"legal.{reason}" for reason in NOT_LEGAL}
    keys |= {f"against.{kind}" for kind in (UNTREATED, LATER, EARLIER, "positive", "negative")}
    keys |= {f"{part}.{name}" for part in ("head", "page", "table") for name in FURTHER}
    keys |= {f"head.{name}" for name in ("inference", "territories", "twoway")}
    keys |= {f"estimand.{estimand.lower()}" for estimand in Estimand}
    return keys | {f"strength.{n}" for n in range(6)}


def ledger_words() -> Iterator[str]:
    """Keys of every step that a room writes, read from its source."""
    rooms = ("sources", "spells", "panel", "indicators", "design", "estimate")
    step = re.compile(r'\.add\(\s*"(\w+)",\s*"(\w+)",\s*unit="(\w+)"')
    for room in rooms:
        for file in (PACKAGE / room).rglob("*.py"):
            for found in step.finditer(file.read_text(encoding="utf-8")):
                yield from (f"ledger.step.{found[1]}.{found[2]}", f"ledger.unit.{found[3]}")
        yield f"ledger.room.{room}"
    reasons = (
        "code_none same_person unmapped_code duplicate_row end_before_start person_unknown merged "
        "before_window outside_window outside_coverage not_eligible already_started other_accompaniment "
        "no_entry_that_month started_before_window entry_before_window history_too_short "
        "followup_too_short missing_covariate missing_market missing_outcome incomplete_panel "
        "treated_from_start no_match_in_caliper no_comparison not_chosen outside_asked_months "
        "missing_unit outside_territory outside_ages elapsed_unknown accompaniment_not_seen in_washout "
        "first_step_not_taken accompanied_in_window outside_support outside_bounds off_common_support "
        "market_without_units not_seen not_seeking stratum_without_cell "
        "unknown_commune same_place blank_value place_unknown other_household other_identity not_in_sources"
    )
    passages = ("places", "measures", "blind", "households", "identities", "person_rows")
    yield from (f"ledger.unit.{unit}" for unit in passages)
    named = ("places", "identities", "objections", "household")
    yield from (f"source.{passage}" for passage in named)
    for arm in ("treated", "comparison"):
        yield from (f"ledger.step.design.{of}_{arm}" for of in ("table", "territories"))
    yield "ledger.unit.territories"
    yield from (f"ledger.reason.{reason}" for reason in reasons.split())


def asked_by_code() -> tuple[set[str], list[re.Pattern[str]]]:
    """Keys written out in code and templates, and the patterns of those they compose."""
    literal, composed = set(), []
    files = (*ROOM.rglob("*.py"), *(ROOM / "templates").glob("*.j2"), ROOM.parent / "cli.py")
    for file in files:
        text = file.read_text(encoding="utf-8")
        literal |= set(re.findall(r"""(?<!f)["']([a-z_]+(?:\.\w+)+)["']""", text))
        for template in re.findall(r"""f["]([a-z_]+\.[^"]*\{[^"]*)["]""", text):
            pattern = re.sub(r"\\\{.*?\\\}", r".+", re.escape(template))
            composed.append(re.compile(pattern))
        composed += [
            re.compile(re.escape(prefix) + ".+")
            for prefix in re.findall(r"""["']([a-z_]+\.)["'] ~""", text)
        ]
    return literal, composed


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def test_both_catalogues_hold_the_same_keys() -> None:
    keys = [set(words(lang).texts) for lang in LANGUAGES]

    assert keys[0] == keys[1]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_key_is_written_twice(lang: str) -> None:
    raw = (ROOM / "catalogue" / f"{lang}.po").read_text(encoding="utf-8")
    keys = re.findall(r'^msgid "(.+)"$', raw, flags=re.MULTILINE)

    assert len(keys) == len(set(keys)) == len(words(lang).texts)


def test_placeholders_agree_between_languages() -> None:
    french, english = (words(lang).texts for lang in ("fr", "en"))
    differing = [k for k in french if placeholders(french[k]) != placeholders(english[k])]

    assert not differing


@pytest.mark.parametrize("lang", LANGUAGES)
def test_everything_the_product_can_ask_is_there(lang: str) -> None:
    asked = {*expected(), *ledger_words()}

    assert not asked - set(words(lang).texts)


def test_every_key_written_in_code_and_templates_exists() -> None:
    texts = words("fr").texts
    families = {key.split(".")[0] for key in texts}
    literal, composed = asked_by_code()
    ours = {key for key in literal if key.split(".")[0] in families}
    prefixes = {key for key in ours if any(k.startswith(f"{key}.") for k in texts)}
    files = {key for key in ours if key.endswith((".csv", ".json", ".parquet", ".html", ".j2"))}

    assert len(ours) > 100
    absent = ours - set(texts) - prefixes - files - set(mpl.rcParams)
    assert absent == set()
    assert [p.pattern for p in composed if not any(p.fullmatch(key) for key in texts)] == []


def test_no_text_is_dead() -> None:
    literal, composed = asked_by_code()
    used_by_name = {*literal, *expected(), *ledger_words()}
    user_facing = ("attribute.", "state.", "section.", "provenance.", "unit.", "covered.")
    tables = ("column.", "table.", "method.")
    dead = [
        key
        for key in words("fr").texts
        if key not in used_by_name
        and not key.startswith((*user_facing, *tables))
        and not any(pattern.fullmatch(key) for pattern in composed)
    ]

    assert dead == []


def test_columns_and_tables_are_all_used() -> None:
    files = (*ROOM.glob("*.py"), *(ROOM / "templates").glob("*.j2"))
    code = "".join(file.read_text("utf-8") for file in files)
    names = [
        key.partition(".")[2] for key in words("fr").texts if key.startswith(("column.", "table."))
    ]

    assert [n for n in names if f'"{n}"' not in code and f".{n}'" not in code] == []


def test_a_missing_key_raises_and_says_which() -> None:
    with pytest.raises(MissingTextError, match=r"no text 'finding\.balance\.perhaps'"):
        words("fr").text("finding.balance.perhaps")


def test_a_missing_fact_raises_and_says_which() -> None:
    with pytest.raises(MissingTextError, match="needs the fact 'share'"):
        words("en").text("deduction.attrition.text", {"part": "3"})


def test_unknown_reason_of_the_ledger_is_never_glossed_over() -> None:
    with pytest.raises(MissingTextError):
        words("fr").text("ledger.reason.because")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_sentences_of_checks_are_filled_by_facts_of_known_kinds(lang: str) -> None:
    for key, text in words(lang).texts.items():
        if key.startswith(("finding.", "deduction.")):
            assert placeholders(text) <= {*facts.KINDS, *facts.TIMES, "missing"}, key


def test_every_deduction_of_the_rating_has_its_sentences() -> None:
    source = Path(rating.__file__).read_text(encoding="utf-8")
    written = set(re.findall(r'code="(\w+)"', source))
    written |= {row[0] for row in vars(rating)["_DEDUCTIONS"].values()}

    assert written
    assert written <= set(DEDUCTIONS)


def test_every_check_run_has_its_sentences() -> None:
    run = import_module(f"{evidence.__name__}.weigh").CHECKS
    names = {module.__name__.rpartition(".")[2] for module in run}

    assert names
    assert all(words("fr").knows(f"check.{name}.label") for name in names)
    assert names <= set(tables.MEASURES)


def test_french_uses_its_own_spaces_and_no_plain_one_before_high_punctuation() -> None:
    for key, text in words("fr").texts.items():
        assert not re.search(r" [;:!?%»]|« ", text), key


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_effect_is_never_said_of_what_is_unclear(lang: str) -> None:
    wrong = ("pas d'effet", "sans effet", "aucun effet", "no effect", "ineffective", "inefficace")
    unclear = ("verdict.hundred.unclear", "verdict.average.unclear", "impact.inconclusive")
    for key, text in words(lang).texts.items():
        if key.startswith((*unclear, "conclusion.not_established")):
            assert not any(word in text.lower() for word in wrong), key
