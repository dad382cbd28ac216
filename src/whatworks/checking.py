"""What `whatworks check` finds: the sources, what they lost, and the gate's answer on every outcome."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from whatworks.errors import MappingError
from whatworks.indicators import Assessment, Gate, Measured, assess, indicators, measure
from whatworks.indicators.assessment import CRITERIA
from whatworks.months import to_label
from whatworks.panel import Panel, expand
from whatworks.report import gate as told
from whatworks.report import names
from whatworks.report.language import Words
from whatworks.sources import Records, read
from whatworks.spells import reconcile
from whatworks.spells.link import linked
from whatworks.vocabulary import GateVerdict, Nature

SCHEMA: Final = 1
Columns = dict[str, list[str]]
_ORDER: Final = (GateVerdict.PUBLISHED, GateVerdict.WITH_RESERVE, GateVerdict.REFUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Sources read and judged.

    Parameters
    ----------
    records : Records
    panel : Panel
    measured : Measured
    gate : Gate
    verdicts : dict of str to Assessment
        By outcome, in the order of the registry.
    """

    records: Records
    panel: Panel
    measured: Measured
    gate: Gate
    verdicts: dict[str, Assessment]

    @property
    def refused(self) -> bool:
        """Whether no outcome at all can be published."""
        return all(a.verdict is GateVerdict.REFUSED for a in self.verdicts.values())

    @property
    def unmeasured(self) -> tuple[str, ...]:
        """Criteria that nothing here allows to measure, on any outcome."""
        judged = [a for a in self.verdicts.values() if a.unmeasured]
        common = set.intersection(*(set(a.unmeasured) for a in judged)) if judged else set()
        return tuple(criterion.name for criterion in CRITERIA if criterion.name in common)

    def refusals(self, words: Words) -> list[str]:
        """Each refusal in full sentences, said once: outcomes, where, why, what to do, who may waive."""
        return _together(
            words,
            (
                (name, told.refusal(words, refusal))
                for name, assessment in self.verdicts.items()
                for refusal in assessment.refusals
            ),
        )

    def reserves(self, words: Words) -> list[str]:
        """Reserves, dates from which to publish, and waivers, one a line, each said once."""
        said = [
            *(
                (name, told.reserve(words, reserve))
                for name, assessment in self.verdicts.items()
                for reserve in assessment.reserves
            ),
            *(
                (name, told.publishable(words, assessment))
                for name, assessment in self.verdicts.items()
                if assessment.publishable_from is not None
            ),
        ]
        waivers = [told.waived(words, w) for a in self.verdicts.values() for w in a.waivers]
        return [*_together(words, said), *dict.fromkeys(waivers)]

    @property
    def strangers(self) -> tuple[str, ...]:
        """Sources that the gate file speaks of and that are not in these files."""
        return tuple(sorted(self.gate.sources - {c.source for c in self.records.coverage}))


def _together(words: Words, said: Iterable[tuple[str, str]]) -> list[str]:
    """Outcomes of which the same is said, in one line."""
    grouped: dict[str, dict[str, None]] = {}
    for name, sentence in said:
        grouped.setdefault(sentence, {})[names.outcome(words, name, "label")] = None
    return [f"{words.series(list(labels))} — {text}" for text, labels in grouped.items()]


def check(
    sources_file: Path,
    gate: Gate,
    *,
    horizon: int | None = None,
    cohort: tuple[str, str] | None = None,
) -> Checked:
    """Read the sources, lay out the widest panel they cover, and judge every outcome.

    Parameters
    ----------
    sources_file : Path
    gate : Gate
    horizon, cohort
        As `whatworks.assess` takes them.

    Raises
    ------
    MappingError
        When the mapping cannot be read, or speaks of persons only.
    SourceRefused
        When a raw file cannot be trusted as it is.
    """
    records = linked(read(sources_file))
    if not records.coverage:
        raise MappingError(
            what=str(sources_file),
            needed="at least one source that tells of states: layout spells, snapshots or wide",
            found="sources of persons only",
            remedy="add the table of such a source",
        )
    months = [m for c in records.coverage for m in (c.first, c.last)]
    panel = expand(reconcile(records), first=to_label(min(months)), last=to_label(max(months)))
    measured = measure(panel)
    verdicts = {
        name: assess(panel, name, gate=gate, horizon=horizon, cohort=cohort, measured=measured)
        for name in indicators(Nature.OUTCOME)
    }
    return Checked(records=records, panel=panel, measured=measured, gate=gate, verdicts=verdicts)


def tables(checked: Checked) -> dict[str, Columns]:
    """Tables of the human form, by title."""
    ledger = checked.panel.ledger.frame().astype(str)
    return {
        "Sources": losses(checked.records),
        "Fields by sensitivity": _fields(checked.records),
        "Reading ledger": {str(name): list(ledger[name]) for name in ledger},
        "Outcomes": {
            "outcome": list(checked.verdicts),
            "verdict": [str(a.verdict) for a in checked.verdicts.values()],
            "why": [
                "; ".join(f"{r.code} ({r.where})" for r in a.refusals)
                for a in checked.verdicts.values()
            ],
        },
        "Criteria": _criteria(checked),
    }


def losses(records: Records) -> Columns:
    """Say what was kept of each source, and the share that was lost for whatever reason."""
    named = {file.source for file in records.files}
    steps = [step for step in records.ledger.steps if step.name in named and step.unit != "persons"]
    return {
        "source": [step.name for step in steps],
        "read": [f"{step.before:,} {step.unit}" for step in steps],
        "kept": [f"{step.after:,}" for step in steps],
        "lost": [f"{1 - step.after / max(step.before, 1):.1%}" for step in steps],
    }


def as_json(checked: Checked) -> str:
    """Everything found, for a program: ASCII, keys in a fixed order."""
    records = checked.records
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "mapping": records.mapping_hash,
        "window": [to_label(checked.panel.first), to_label(checked.panel.last)],
        "persons": checked.panel.n_persons,
        "sources": [
            dict(zip(("source", "read", "kept", "lost"), row, strict=True))
            for row in zip(*losses(records).values(), strict=True)
        ],
        "coverage": [
            {
                "source": c.source,
                "kind": c.kind,
                "first": to_label(c.first),
                "last": to_label(c.last),
                "unsettled": None if c.unsettled is None else to_label(c.unsettled),
            }
            for c in records.coverage
        ],
        "fields": [
            dict(zip(("sensitivity", "source", "field", "column", "disclosure"), row, strict=True))
            for row in zip(*_fields(records).values(), strict=True)
        ],
        "ledger": json.loads(checked.panel.ledger.frame().to_json(orient="records")),
        "gate": _thresholds(checked.gate),
        "gate_speaks_of_absent_sources": list(checked.strangers),
        "outcomes": [a.to_dict() for a in checked.verdicts.values()],
    }
    return json.dumps(content, indent=2)


def _thresholds(gate: Gate) -> dict[str, dict[str, float | None]]:
    """Thresholds used; null stands for a criterion that never refuses."""
    return {
        name: {
            "reserve": bounds.reserve,
            "refuse": None if bounds.refuse == float("inf") else bounds.refuse,
        }
        for name, bounds in gate.thresholds.items()
    }


def _fields(records: Records) -> Columns:
    """Fields kept, the most sensitive first."""
    order = ("special_category", "sensitive", "identifying", "ordinary")
    fields = sorted(records.fields, key=lambda f: (order.index(f.sensitivity), f.source, f.name))
    return {
        "sensitivity": [f.sensitivity for f in fields],
        "source": [f.source for f in fields],
        "field": [f.name for f in fields],
        "column": [f.column for f in fields],
        "disclosure": [f.disclosure for f in fields],
    }


def _criteria(checked: Checked) -> Columns:
    """Worst reading of each criterion over the outcomes that could be measured."""
    rows: dict[str, tuple[float, float, float, GateVerdict]] = {}
    rank = _ORDER.index
    for assessment in checked.verdicts.values():
        for row in assessment.criteria.to_dict("records"):
            found = GateVerdict(row["verdict"])
            measured = float(row["measured"])
            known = rows.get(str(row["criterion"]))
            if known is None or (rank(found), measured) > (rank(known[3]), known[0]):
                bounds = float(row["reserve_above"]), float(row["refuse_above"])
                rows[str(row["criterion"])] = (measured, *bounds, found)
    return {
        "criterion": list(rows),
        "worst": [f"{r[0]:.3g}" for r in rows.values()],
        "reserve >": [f"{r[1]:g}" for r in rows.values()],
        "refused >": [f"{r[2]:g}" for r in rows.values()],
        "verdict": [str(r[3]) for r in rows.values()],
    }
