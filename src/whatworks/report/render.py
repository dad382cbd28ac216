"""Evidence → a folder: the page, the figures, the tables, the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from whatworks.errors import IndicatorRefused
from whatworks.evidence.record import Evidence
from whatworks.indicators import indicators
from whatworks.report import files, frames, others_drawn, pictures, rollout
from whatworks.report import folder as folders
from whatworks.report.alone import refuse_direct_alone
from whatworks.report.language import Words, words
from whatworks.report.page import MOST_STRENGTH, page
from whatworks.vocabulary import Nature

SECTIONS: Final = (
    "brief",
    "why",
    "effect",
    "compared",
    "checks",
    "flow",
    "refusals",
    "definitions",
    "reuse",
    "provenance",
)
INDEX: Final = "index.html"


def render(evidence: Evidence, folder: str | Path, *, lang: str = "fr") -> Path:
    """Write the report of one evaluation.

    Parameters
    ----------
    evidence : Evidence
    folder : path
        Written whole or not at all. One that exists is replaced only if it is empty or was
        written by an earlier report.
    lang : str
        ``"fr"`` or ``"en"``.

    Returns
    -------
    Path
        Of the page, ``index.html``; beside it ``effects.csv``, ``.parquet`` and ``.json``,
        ``findings.csv``, ``findings/`` (the table of each check that has one), ``flow.csv``,
        ``refusals.json``, ``figures/`` and ``manifest.json`` with the SHA-256 of every file.

    Raises
    ------
    OptionError
        On a folder holding files that are not ours, or an unknown language.
    IndicatorRefused
        When the outcome is registered as a measure of activity, input or process.
    DisplacementRefused
        When jobs are scarce and something written would show a direct effect alone.
    """
    place = Path(folder)
    folders.refuse_foreign(place)
    folders.write(bundle(evidence, lang=lang), place)
    return place / INDEX


def bundle(evidence: Evidence, *, lang: str) -> dict[str, bytes]:
    """Every file of one evaluation's folder, by name, manifest included."""
    _refuse_activity(evidence)
    speak = words(lang)
    balance = next((f for f in evidence.findings if f.check == "balance"), None)
    clock = frames.clock(evidence.design)
    drawn = (
        pictures.effects_drawing(evidence, speak),
        pictures.balance_drawing(frames.balance(balance), speak),
        pictures.overlap_drawing(evidence.design, speak),
        pictures.history_drawing(evidence.design, speak),
        rollout.calendar_drawing(evidence.design, speak),
        rollout.cells_drawing(evidence, speak),
        rollout.gaps_drawing(evidence.estimates[0], speak, clock=clock),
        rollout.sensitivity_drawing(evidence, speak),
        pictures.flow_drawing(evidence, speak),
        *others_drawn.drawings(evidence, speak),
    )
    out = files.tables(speak, evidence)
    out |= files.figures(tuple(d for d in drawn if d is not None), lang)
    view = page(speak, evidence, files=tuple(sorted(out)))
    parts = {"page": view, "sections": SECTIONS, "most_strength": MOST_STRENGTH}
    text = html("page.html.j2", speak, parts)
    if evidence.displacement.scarce:
        banner = speak.text(f"displacement.{evidence.displacement.code}.title")
        refuse_direct_alone({INDEX: text, **out}, speak, banner=banner)
    return folders.signed({INDEX: text, **out}, lang=lang)


def html(template: str, speak: Words, view: Mapping[str, object]) -> bytes:
    """Page of a template: escaped, complete or not at all."""
    environment = Environment(
        loader=PackageLoader("whatworks.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template(template).render({**view, "lang": speak.lang, "t": speak.text})
    return text.encode()


def _refuse_activity(evidence: Evidence) -> None:
    """Refuse to print as a result what measures the administration."""
    outcome = evidence.design.question.outcome
    for nature in Nature:
        if nature is not Nature.OUTCOME and outcome in indicators(nature):
            raise IndicatorRefused(
                what=f"outcome {outcome!r} as a result",
                needed="an outcome of the persons accompanied",
                found=f"a measure of {nature}",
                remedy="ask for one of " + ", ".join(indicators(Nature.OUTCOME)),
            )
