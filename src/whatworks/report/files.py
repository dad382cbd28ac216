"""The same rounded numbers as CSV, Parquet and JSON, each as the bytes of a file."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from whatworks.design.record import Design
from whatworks.evidence.record import Evidence
from whatworks.report import facts, frames, names, others, wording
from whatworks.report.figures.svg import Drawing
from whatworks.report.language import Words
from whatworks.report.page import refused
from whatworks.report.workings import table_of_finding

SCHEMA: Final = 1
_CSV: Final = {
    "fr": {"sep": ";", "decimal": ",", "encoding": "utf-8-sig"},
    "en": {"sep": ",", "decimal": ".", "encoding": "utf-8"},
}


def csv(frame: pd.DataFrame, lang: str) -> bytes:
    """Table as the language's spreadsheets open it: French with ``;`` and decimal comma."""
    way = _CSV[lang]
    text = frame.to_csv(index=False, sep=way["sep"], decimal=way["decimal"], lineterminator="\r\n")
    return text.encode(way["encoding"])


def parquet(frame: pd.DataFrame) -> bytes:
    """Table with its types."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def as_json(value: object) -> bytes:
    """Text of a JSON document, readable, its undefined numbers null."""
    text = json.dumps(_defined(value), ensure_ascii=False, indent=2, allow_nan=False)
    return (text + "\n").encode()


def _defined(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _defined(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_defined(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as plain Python values."""
    plain = frame.astype(object).where(frame.notna(), None)
    rows: list[dict[str, Any]] = plain.to_dict("records")  # type: ignore[assignment] # names are text
    return rows


def labelled(words: Words, evidence: Evidence) -> pd.DataFrame:
    """Effects with their terms and groups in words, beside their codes."""
    frame, clock = frames.effects(evidence), frames.clock(evidence.design)
    of = zip(frame["term"], frame["group"], strict=True)
    groups = [names.group_of(words, str(term), str(name), clock=clock) for term, name in of]
    terms = [words.text(f"term.{term}.short") for term in frame["term"]]
    labelled = frame.assign(term_label=terms, group_label=groups)
    banner = wording.beside_direct(words, evidence)
    return labelled.assign(displacement=banner) if banner else labelled


def tables(words: Words, evidence: Evidence) -> dict[str, bytes]:
    """Effects, findings, flow and refusals, by file name."""
    scale, clock = frames.common_scale(evidence), frames.clock(evidence.design)
    effects = labelled(words, evidence)
    findings = frames.findings(evidence).assign(
        sentence=[facts.finding(words, scale, f, clock=clock) for f in evidence.findings]
    )
    refusals = []
    for refusal in evidence.refusals:
        said = refused(words, scale, refusal)
        four = {"what": said.what, "where": said.where, "why": said.why, "remedy": said.remedy}
        refusals.append(
            {"code": refusal.code, "indicator": refusal.what, "title": said.title} | four
        )
    out = {
        "effects.csv": csv(effects, words.lang),
        "effects.parquet": parquet(effects),
        "effects.json": as_json(_strand(words, evidence, effects)),
        "findings.csv": csv(findings, words.lang),
        "flow.csv": csv(frames.ledger(evidence).frame(), words.lang),
        "refusals.json": as_json(refusals),
    }
    for found in evidence.findings:
        table = table_of_finding(found, scale)
        if table is not None:
            out[f"findings/{found.check}.csv"] = csv(table, words.lang)
    out |= {
        f"findings/{name}.csv": csv(table, words.lang)
        for name, table in _of_others(evidence).items()
        if not table.empty
    }
    if evidence.benchmarks:
        out["benchmarks.csv"] = csv(frames.benchmarks(evidence), words.lang)
    return out


def _of_others(evidence: Evidence) -> dict[str, pd.DataFrame]:
    """Tables on others, by file name; a scenario says in every row that it is one."""
    return {
        "displacement": others.net_table(evidence),
        "lack_of_fit": others.lack_of_fit(evidence),
        "break_even": others.break_even(evidence),
        "bounds": others.bounds(evidence),
        "scenarios": others.scenarios(evidence).assign(kind="scenario"),
    }


def _displacement(words: Words, evidence: Evidence) -> dict[str, object]:
    """The statement on others and what stands beside it."""
    said = evidence.displacement
    return {
        "measured": said.measured,
        "code": said.code,
        "statement": words.text(f"displacement.{said.code}.title"),
        "scarce_jobs": said.scarce,
        "lacks": [str(lack.code) for lack in said.lacks],
        **{name: records(table) for name, table in _of_others(evidence).items()},
    }


def _design(design: Design) -> dict[str, object]:
    """What the groups were, and whether they were fixed before any outcome was opened."""
    seal = design.seal
    arms = design.arms().set_index("arm")
    return {
        "sealed": seal is not None,
        "before_outcomes": seal is not None and seal.before_outcomes,
        "sha256": None if seal is None else seal.digest,
        "date": None if seal is None else seal.date,
        "units": {str(arm): int(n) for arm, n in arms["n_units"].items()},
        "effective_size": {str(a): round(float(n), 1) for a, n in arms["effective_size"].items()},
        "left_out": {
            str(arm): int(rows["n_left_out"].iloc[0])
            for arm, rows in design.population.left_out.groupby("arm")
        },
    }


def figures(drawings: tuple[Drawing, ...], lang: str) -> dict[str, bytes]:
    """Each figure as an SVG file with the table of its numbers."""
    out = {}
    for drawn in drawings:
        out[f"figures/{drawn.name}.svg"] = drawn.file().encode()
        out[f"figures/{drawn.name}.csv"] = csv(drawn.data, lang)
    return out


def _strand(words: Words, evidence: Evidence, effects: pd.DataFrame) -> dict[str, object]:
    """Machine reading of the page: the dials beside the effects they are read from."""
    asked = evidence.design.question
    rating = evidence.rating
    return {
        "schema": SCHEMA,
        "lang": words.lang,
        "question": wording.question(words, evidence),
        "treatment": asked.treatment,
        "outcome": asked.outcome,
        "estimand": str(asked.estimand),
        "primary_month": frames.primary_month(evidence),
        "verdict": wording.verdict(words, evidence),
        "impact": str(evidence.impact),
        "conclusion": str(evidence.conclusion),
        "conclusion_reasons": [r.code for r in evidence.conclusion_reasons],
        "strength": rating.strength,
        "strength_cap": rating.cap,
        "strength_deductions": [{"code": d.code, "points": d.points} for d in rating.deductions],
        "design_class": str(rating.design_class),
        "versus": asked.versus,
        "design": _design(evidence.design),
        "cost": None,
        "displacement": _displacement(words, evidence),
        "benchmarks": records(frames.benchmarks(evidence)),
        "effects": records(effects),
        "provenance": dict(evidence.provenance),
    }
