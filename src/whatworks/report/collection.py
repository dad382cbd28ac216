"""Several evaluations side by side, without a rank: one page, one folder each beneath it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from whatworks.errors import OptionError
from whatworks.evidence.record import Evidence
from whatworks.report import folder as folders
from whatworks.report import frames, names, wording
from whatworks.report.language import Words, words
from whatworks.report.page import strength
from whatworks.report.render import INDEX, bundle, html


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One evaluation of a collection.

    Parameters
    ----------
    slug : str
        Name of its folder: lower-case letters, digits and hyphens.
    title : str
        In the language of the page; when empty, that of its question, or one made from it.
    section : str
        Catalogue ``section.<section>.title`` and ``.intro``.
    evidence : Evidence
    """

    slug: str
    title: str
    section: str
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One evaluation in the summary, every number already words."""

    link: str
    title: str
    question: str
    estimate: str
    interval: str
    horizon: str
    benchmarks: tuple[str, ...]
    strength: str
    conclusion: str
    displacement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Evaluations that share an introduction, in the order they were given."""

    key: str
    title: str
    intro: str
    rows: tuple[Row, ...]


def render_collection(
    entries: Sequence[Entry], folder: str | Path, *, title: str, lang: str = "fr"
) -> Path:
    """Write the reports of several evaluations and the page that summarises them.

    Parameters
    ----------
    entries : sequence of Entry
        Sections appear in the order of their first entry.
    folder : path
        Written whole or not at all, as by `render`.
    title : str
        Of the summary; empty for the catalogue's own.
    lang : str
        ``"fr"`` or ``"en"``.

    Returns
    -------
    Path
        Of the summary, ``index.html``; each evaluation is at ``<slug>/index.html``.

    Raises
    ------
    OptionError
        On slugs that are not distinct folder names, a folder that is not ours, an unknown language.
    """
    _check_slugs(entries)
    place = Path(folder)
    folders.refuse_foreign(place)
    speak = words(lang)
    files = {
        f"{entry.slug}/{name}": content
        for entry in entries
        for name, content in bundle(entry.evidence, lang=lang).items()
    }
    files[INDEX] = html(
        "collection.html.j2",
        speak,
        {"title": title or speak.text("collection.title"), "sections": _sections(speak, entries)},
    )
    folders.write(folders.signed(files, lang=lang), place)
    return place / INDEX


def _check_slugs(entries: Sequence[Entry]) -> None:
    slugs = [entry.slug for entry in entries]
    wrong = [s for s in slugs if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", s)]
    wrong += sorted({s for s in slugs if slugs.count(s) > 1})
    if wrong or not slugs:
        raise OptionError(
            what="entries",
            needed="at least one entry, each with its own slug of lower-case letters, digits, hyphens",
            found=", ".join(repr(s) for s in wrong) or "no entry",
            remedy="name each evaluation's folder differently, for instance 'job-search'",
        )


def _sections(speak: Words, entries: Sequence[Entry]) -> tuple[Section, ...]:
    return tuple(
        Section(
            key=f"section-{code}",
            title=speak.text(f"section.{code}.title"),
            intro=speak.text(f"section.{code}.intro"),
            rows=tuple(_row(speak, entry) for entry in entries if entry.section == code),
        )
        for code in dict.fromkeys(entry.section for entry in entries)
    )


def _row(speak: Words, entry: Entry) -> Row:
    evidence = entry.evidence
    found = frames.curve(evidence.estimates[0])
    month = frames.primary_month(evidence)
    row = found.at(month)
    return Row(
        link=f"{entry.slug}/{INDEX}",
        title=entry.title or names.title(speak, evidence),
        question=wording.question(speak, evidence),
        estimate=speak.amount(row["estimate"], found.scale, signed=True),
        interval=speak.text(
            "effect.interval",
            {"interval": speak.span(row["conf_low"], row["conf_high"], found.scale)},
        ),
        horizon=names.at(
            speak, month, clock=frames.clock(evidence.design), timed=frames.timed(evidence)
        ),
        benchmarks=_known(speak, evidence, month),
        strength=strength(speak, evidence),
        conclusion=speak.text(f"conclusion.{evidence.conclusion}.label"),
        displacement=speak.text(f"displacement.{evidence.displacement.code}.title"),
    )


def _known(speak: Words, evidence: Evidence, month: int) -> tuple[str, ...]:
    """Numbers known from elsewhere at the primary horizon, and whether the interval has them."""
    lines = []
    scale = frames.common_scale(evidence)
    for row in frames.rows_of(frames.benchmarks(evidence)):
        if row.month != month:
            continue
        said = {
            "name": speak.text(f"benchmark.{row.benchmark}.short"),
            "value": speak.amount(row.value, scale, signed=True),
        }
        lines.append(speak.text(f"collection.benchmark.{row.covered}", said))
    return tuple(lines)
