"""The page: valid, accessible, self-contained, complete in both languages."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from unit.report.evidence_by_hand import make_estimate
from whatworks.evidence.record import Evidence, Finding
from whatworks.ledger import Ledger
from whatworks.report import tables
from whatworks.report.language import NARROW, words
from whatworks.report.page import page as page_of
from whatworks.report.render import SECTIONS
from whatworks.vocabulary import Conclusion, Impact, Verdict

Bundled = Callable[[str, str], dict[str, bytes]]
VOID = {"meta", "br", "hr", "img", "input", "link"}
NAMES = ["panel", "table", "saturation", "refused"]


@dataclass
class Read(HTMLParser):
    """What the tests look at in a page."""

    stack: list[str] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    svgs: list[list[str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {k: v or "" for k, v in attrs}
        self.tags.append((tag, values))
        if "id" in values:
            self.ids.append(values["id"])
        if tag == "svg":
            self.svgs.append([])
        elif self.svgs and self.stack[-1:] == ["svg"]:
            self.svgs[-1].append(tag)
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.stack or self.stack.pop() != tag:
            self.errors.append(tag)

    def handle_data(self, data: str) -> None:
        if not {"style", "title", "desc"} & set(self.stack):
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module", params=["fr", "en"])
def lang(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=NAMES)
def html(request: pytest.FixtureRequest, bundled: Bundled, lang: str) -> str:
    return bundled(request.param, lang)["index.html"].decode()


@pytest.fixture(scope="module")
def page(html: str) -> Read:
    read = Read()
    read.feed(html)
    read.close()
    return read


def test_every_element_is_closed_in_order(page: Read) -> None:
    assert page.errors == []
    assert page.stack == []


def test_language_title_and_viewport_are_declared(page: Read, html: str, lang: str) -> None:
    assert html.startswith("<!doctype html>")
    assert page.all("html")[0]["lang"] == lang
    assert any(meta.get("name") == "viewport" for meta in page.all("meta"))
    assert re.search(r"<title>[^<]+</title>", html)


def test_ids_are_unique_and_every_reference_has_its_target(page: Read) -> None:
    assert len(page.ids) == len(set(page.ids))
    wanted = set()
    for tag, attrs in page.tags:
        for attribute in ("aria-labelledby", "aria-describedby"):
            wanted |= set(attrs.get(attribute, "").split())
        target = attrs.get("href", "")
        if target.startswith("#"):
            wanted.add(target[1:])
        wanted |= set(re.findall(r"url\(#([^)]+)\)", " ".join(attrs.values())))
        assert tag != "script"
    assert wanted <= set(page.ids)


def test_headings_begin_at_one_and_never_skip_a_level(page: Read) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_nothing_is_fetched(page: Read, html: str) -> None:
    assert not re.search(r"https?:|//[a-z]", html)
    assert not page.all("link")
    assert not page.all("img")
    assert "@import" not in html
    assert "url(" not in html.replace("url(#", "")
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)


def test_landmarks_and_skip_link(page: Read) -> None:
    for landmark in ("header", "nav", "main", "footer"):
        assert len(page.all(landmark)) == 1
    first = page.all("a")[0]
    assert first["href"] == "#main"
    assert first["class"] == "skip"
    assert page.all("nav")[0]["aria-label"]


def test_every_drawing_has_a_text_alternative_and_its_numbers(page: Read) -> None:
    svgs = page.all("svg")
    assert svgs
    assert all(svg["role"] == "img" and "viewbox" in svg for svg in svgs)
    assert not any("width" in svg or "height" in svg for svg in svgs)
    assert all(children[:2] == ["title", "desc"] for children in page.svgs)
    assert len(page.all("figure")) == len(page.all("details")) == len(svgs)


def test_every_table_has_a_caption_headers_and_a_focusable_container(page: Read) -> None:
    tables = len(page.all("table"))
    regions = [d for d in page.all("div") if d.get("role") == "region"]

    assert tables == len(page.all("caption")) == len(regions)
    assert all(r["tabindex"] == "0" and r["aria-labelledby"] in page.ids for r in regions)
    assert {th.get("scope") for th in page.all("th")} == {"col", "row"}


def test_sections_come_in_the_order_a_reader_needs(page: Read) -> None:
    assert [i for i in page.ids if i in SECTIONS] == list(SECTIONS)
    assert page.ids.index("figure-effects") < page.ids.index("displacement")
    between = page.ids[page.ids.index("displacement") : page.ids.index("table-effects")]
    assert "compared" not in between


def test_the_displacement_statement_is_beside_the_verdict_and_beside_the_effect(
    page: Read, html: str
) -> None:
    title = "placement"
    brief = html[html.index('id="brief"') : html.index('id="why"')]
    effect = html[html.index('id="effect"') : html.index('id="compared"')]

    assert title in brief
    assert '<aside class="banner" aria-labelledby="displacement">' in effect


def test_no_total_of_jobs_is_claimed(page: Read) -> None:
    said = " ".join(page.text).lower()

    assert not re.search(r"emplois? nets?|effets? nets?|net jobs|net effect", said)


def test_a_users_word_cannot_become_markup(bundled: Bundled, lang: str) -> None:
    html = bundled("panel", lang)["index.html"].decode()

    assert "qualification &lt;b&gt;" in html
    assert "qualification <b>" not in html


def test_what_is_unclear_is_never_called_without_effect(bundled: Bundled, lang: str) -> None:
    html = bundled("refused", lang)["index.html"].decode().lower()

    wrong = ("pas d'effet", "pas d&#39;effet", "sans effet", "aucun effet détecté", "no effect d")
    assert not any(word in html for word in wrong)


def test_a_refusal_says_its_four_things(bundled: Bundled, lang: str) -> None:
    html = bundled("refused", lang)["index.html"].decode()
    section = html[html.index('id="refusals"') : html.index('id="definitions"')]

    assert section.count('<article class="refusal">') == 3
    for part in ("asked", "place", "reason", "to_do"):
        label = words(lang).text(f"refusal.{part}").replace("'", "&#39;")
        assert section.count(f"<dt>{label}</dt>") == 3


def test_differences_are_never_percentages(bundled: Bundled) -> None:
    html = bundled("panel", "fr")["index.html"].decode()
    table = html[html.index('id="table-effects"') :]
    table = table[: table.index("</table>")]
    body = table[table.index("<tbody>") :]

    assert "Effet (points)" in table
    assert "%" not in body


def test_without_covariates_score_or_findings_the_page_says_so(bundled: Bundled, lang: str) -> None:
    html = bundled("saturation", lang)["index.html"].decode()

    for key in ("page.no_balance", "page.no_overlap", "page.no_findings", "page.no_refusal"):
        assert words(lang).text(key).replace("'", "&#39;") in html


@pytest.mark.parametrize(
    ("strength", "impact", "conclusion", "label", "symbol"),
    [
        (0, Impact.MODERATE, Conclusion.NOT_ESTABLISHED, "not graded", "–"),
        (0, Impact.NOT_MEASURED, Conclusion.NOT_ESTABLISHED, "not measured", "–"),
        (
            1,
            Impact.MODERATE,
            Conclusion.NOT_ESTABLISHED,
            "moderate, if the estimate is right",
            "▲▲",
        ),
        (1, Impact.INCONCLUSIVE, Conclusion.NOT_ESTABLISHED, "inconclusive", "?"),
        (2, Impact.MODERATE, Conclusion.SUGGESTED, "moderate", "▲▲"),
    ],
)
def test_the_dial_of_impact_says_no_more_than_the_evidence(
    panel_evidence: Evidence,
    strength: int,
    impact: Impact,
    conclusion: Conclusion,
    label: str,
    symbol: str,
) -> None:
    rating = replace(panel_evidence.rating, cap=strength, deductions=())
    evidence = replace(panel_evidence, rating=rating, impact=impact, conclusion=conclusion)
    dial = page_of(words("en"), evidence).dials[0]

    assert (dial.value, dial.symbol) == (label, symbol)


def test_the_dial_of_impact_describes_the_estimate() -> None:
    assert (
        words("fr").text("impact.moderate.meaning").endswith("l'estimation n'est pas négligeable.")
    )


def test_declared_states_are_not_defined_by_contracts(panel_evidence: Evidence) -> None:
    provenance = {**panel_evidence.provenance, "employment_source": "declared_states"}
    declared = page_of(words("en"), replace(panel_evidence, provenance=provenance))
    contracts = page_of(
        words("en"),
        replace(panel_evidence, provenance={**provenance, "employment_source": "contracts"}),
    )
    switches = words("en").text("definition.switches")

    assert (
        "declared state of the month is employment"
        in dict(declared.definitions)["Presence in employment"]
    )
    assert "contract" not in " ".join(text for _, text in declared.definitions)
    assert switches not in dict(declared.definitions)
    assert switches in dict(contracts.definitions)
    for view in (declared, contracts):
        assert not {"employment_source"} & {name for name, _ in view.provenance}


def test_months_whose_zero_was_built_are_named_and_not_drawn(panel_evidence: Evidence) -> None:
    rows = [("att", m, "all", 0.0, 0.0) for m in (-2, -1)]
    rows += [("att", m, "all", 4.0, 1.0) for m in range(25)]
    only = make_estimate(rows, unit="pp", ledger=Ledger())
    effect = page_of(words("fr"), replace(panel_evidence, estimates=(only,))).effect

    assert [row[2] for row in effect.table.rows[:2]] == ["nul par construction"] * 2
    assert effect.table.rows[2][2].startswith("de ")
    assert words("fr").text("caption.effects_built") in effect.caption
    assert words("fr").text("caption.effects_before") not in effect.caption


def test_counts_are_of_persons_and_their_months_or_of_rows(
    panel_evidence: Evidence, table_evidence: Evidence
) -> None:
    heads = [tables.effects(words("fr"), e).head[-2:] for e in (panel_evidence, table_evidence)]

    assert heads == [
        ("Personnes entrées", "Comparaisons (personnes-mois)"),
        ("Groupe traité", "Groupe de comparaison"),
    ]


def found_by(evidence: Evidence, check: str, statistic: float, threshold: float) -> tuple[str, ...]:
    finding = Finding(
        check=check,
        verdict=Verdict.NOT_TESTABLE,
        statistic=statistic,
        threshold=threshold,
    )
    return tables.findings(words("fr"), replace(evidence, findings=(finding,))).rows[0][3:5]


@pytest.mark.parametrize(
    ("check", "numbers", "said"),
    [
        ("balance", (0.314, 0.1), ("0,314 écart type", "≤ 0,1 écart type")),
        ("overlap", (0.98, 0.95), (f"98,0{NARROW}%", f"≥ 95{NARROW}%")),
        ("attrition", (0.0, 0.05), (f"0,0{NARROW}%", f"≤ 5{NARROW}%")),
        ("placebo", (0.4, 0.05), ("p = 0,4", "p ≥ 0,05")),
        ("placebo", (0.0001, 0.05), ("p < 0,001", "p ≥ 0,05")),
        ("precision", (15.34, 5.0), ("15,3 points", "≤ 5,0 points")),
        ("clusters", (283.0, 40.0), ("283 groupes", "≥ 40 groupes")),
        ("twoway", (0.4, 1.0), ("0,4 fois l'erreur type", "≤ 1 fois l'erreur type")),
        ("balance", (float("nan"), 0.1), ("non défini", "≤ 0,1 écart type")),
    ],
)
def test_a_measure_has_its_unit_and_its_bound_its_sense(
    panel_evidence: Evidence, check: str, numbers: tuple[float, float], said: tuple[str, str]
) -> None:
    assert found_by(panel_evidence, check, *numbers) == said


def test_precision_in_a_users_unit_is_in_standard_deviations(table_evidence: Evidence) -> None:
    assert found_by(table_evidence, "precision", 3.2, 5.0) == (
        "3,2 vingtièmes d'écart type",
        "≤ 5 vingtièmes d'écart type",
    )


def test_what_was_compared_says_over_how_long(panel_evidence: Evidence) -> None:
    compared = dict(page_of(words("fr"), panel_evidence).compared)

    assert "parcours semblable, rapproché ou mis à l'épreuve sur 18 mois" in " ".join(
        compared.values()
    )
