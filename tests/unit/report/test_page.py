"""The page: valid, accessible, self-contained, complete in both languages."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from whatworks.report.language import words
from whatworks.report.render import SECTIONS

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
