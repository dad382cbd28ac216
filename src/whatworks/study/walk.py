"""The whole walk of a study file, from raw files to evidence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from whatworks.design import Design, Layout, Question, choose, compare, lay_out, roll_out
from whatworks.design.causes.pathway import Pathway
from whatworks.design.comparison import Comparison
from whatworks.design.registry import COMPARISONS
from whatworks.errors import StudyError, WhatworksError
from whatworks.estimate import ESTIMATORS
from whatworks.estimate.protocol import Estimator
from whatworks.evidence import Benchmark, Refusal, weigh
from whatworks.indicators import Assessment, Gate, Measured, assess, lookup, measure
from whatworks.panel import Panel, expand
from whatworks.report import Entry
from whatworks.sources import Records, read
from whatworks.spells import reconcile
from whatworks.spells.link import linked
from whatworks.study.file import QuestionText, StudyFile, build, load
from whatworks.study.markets import KnownMarkets, known_markets
from whatworks.study.supplied import check_supplied
from whatworks.vocabulary import KIND, Kind


def run(study_file: str | Path, *, progress: Callable[[str], None] = lambda _: None) -> list[Entry]:
    """Walk a study from raw files to evidence.

    Parameters
    ----------
    study_file : path
    progress : callable
        Told each step in words.

    Returns
    -------
    list of Entry
        One per question, in the order of the file.

    Raises
    ------
    StudyError, MappingError
        When a file cannot be read as what it should be.
    SourceRefused, IndicatorRefused, DesignRefused
        When the answer is no.
    """
    path = Path(study_file)
    study, fingerprint = load(path)
    choices = _Choices(
        using=build(COMPARISONS, study.comparison, what="comparison"),
        methods=[build(ESTIMATORS, o, what="estimators") for o in study.methods],
        graph=Pathway.load(path.parent / study.graph) if study.graph else None,
        markets=None if study.markets is None else known_markets(study.markets, path.parent),
    )
    check_supplied(study, choices.methods, file=path.name)
    gate = Gate.load(path.parent / study.gate) if study.gate else Gate.default()
    known = _truth(path.parent / study.truth) if study.truth else {}
    _check_outcomes(study, path.name)
    progress("reading the sources")
    records = linked(read(path.parent / study.sources), progress=progress)
    progress("laying out the panel")
    panel = expand(reconcile(records), first=study.panel.first, last=study.panel.last)
    gated = _Gated(panel=panel, gate=gate, measured=measure(panel))
    refusals = tuple(r for name in study.asked for r in gated.assess(name).refusals)
    provenance = {
        "whatworks": version("whatworks"),
        "study": fingerprint,
        "mapping": records.mapping_hash,
        **({"gate": _sha256(path.parent / study.gate)} if study.gate else {}),
        **({"graph": _sha256(path.parent / study.graph)} if study.graph else {}),
        "employment_source": _employment_source(records),
        **{f"file:{f.name}": f.sha256 for f in records.files},
        **{
            f"file:{f.name}": _sha256(f) for f in (choices.markets.files if choices.markets else ())
        },
    }
    # Questions that agree on their rules share one reading of the panel.
    asked = [study.question(q) for q in study.questions] if study.rollout is None else []
    layouts = lay_out(panel, asked)
    gated = replace(gated, layouts=layouts)
    entries = []
    for q in study.questions:
        progress(f"question {q.slug}")
        try:
            entry = _entry(
                gated,
                q,
                study=study,
                choices=choices,
                refusals=refusals,
                known=known,
                provenance=provenance,
            )
        except WhatworksError as error:
            error.what = f"{path.name}, question {q.slug!r}: {error.what}"
            raise
        entries.append(entry)
    return entries


def _check_outcomes(study: StudyFile, file: str) -> None:
    """Refuse an outcome that does not exist before files are read for it."""
    wanted = [(f"question {q.slug!r}", study.question(q).outcome) for q in study.questions]
    for place, name in [*wanted, *(("asked", name) for name in study.asked)]:
        try:
            lookup(name)
        except WhatworksError as error:
            error.what = f"{file}, {place}: {error.what}"
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gated:
    """A panel, the gate, what it counts in the panel, and risk sets: once for all questions."""

    panel: Panel
    gate: Gate
    measured: Measured
    layouts: tuple[Layout, ...] = ()

    def assess(self, outcome: str) -> Assessment:
        """Pass an outcome through the gate."""
        return assess(self.panel, outcome, gate=self.gate, measured=self.measured)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choices:
    """How every question of a study is answered."""

    using: Comparison
    methods: list[Estimator]
    graph: Pathway | None
    markets: KnownMarkets | None


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _employment_source(records: Records) -> str:
    """Whether employment is read off contracts, or is a state declared month by month."""
    by_month = records.states.filter(records.states[KIND] == Kind.EMPLOYMENT)
    return "declared_states" if by_month.count().execute() else "contracts"


def _entry(
    gated: _Gated,
    asked: QuestionText,
    *,
    study: StudyFile,
    choices: _Choices,
    refusals: tuple[Refusal, ...],
    known: Mapping[tuple[str, str], Mapping[int, tuple[float, float]]],
    provenance: Mapping[str, str],
) -> Entry:
    question = study.question(asked)
    design = _design(gated, question, study=study, choices=choices)
    benchmarks = [
        Benchmark(code="truth", month=month, value=value, std_error=error)
        for month, (value, error) in known.get((question.treatment, question.outcome), {}).items()
        if month in question.months
    ]
    evidence = weigh(
        design,
        [m.fit(design) for m in choices.methods],
        assessment=gated.assess(question.outcome),
        refusals=refusals,
        benchmarks=benchmarks,
        provenance={**provenance, **_told(study, choices)},
        stakes=study.at_stake(asked),
    )
    return Entry(
        slug=asked.slug,
        title=question.title,
        section=study.section,
        evidence=evidence,
    )


def _design(gated: _Gated, question: Question, *, study: StudyFile, choices: _Choices) -> Design:
    """Who is compared with whom, and in which markets, as the file says."""
    markets = choices.markets
    if study.rollout is not None:
        rollout = roll_out(
            gated.panel,
            question,
            starts=study.rollout.starts,
            level=study.rollout.level,
            gate=gated.gate,
            measured=gated.measured,
        )
        return rollout if markets is None else markets.of(rollout, gated.panel)
    if markets is None:
        return compare(
            gated.panel,
            question,
            using=choices.using,
            gate=gated.gate,
            measured=gated.measured,
            layouts=gated.layouts,
            graph=choices.graph,
        )
    gated.assess(question.outcome).raise_if_refused()
    design = choose(gated.panel, question, using=choices.using, layouts=gated.layouts)
    if choices.graph is not None:
        design = design.identified_by(choices.graph)
    # Markets too are fixed, and sealed, before any outcome is read.
    placed = markets.of(design, gated.panel)
    return placed.open(gated.panel, gate=gated.gate, measured=gated.measured)


def _told(study: StudyFile, choices: _Choices) -> dict[str, str]:
    """How comparisons and markets were found, for the report."""
    told = {"comparison": repr(choices.using if study.rollout is None else study.rollout)}
    if study.markets is not None:
        told["markets"] = study.markets.model_dump_json(exclude_unset=True)
    return told


def _truth(path: Path) -> dict[tuple[str, str], dict[int, tuple[float, float]]]:
    """Known effects by treatment and outcome."""
    known: dict[tuple[str, str], dict[int, tuple[float, float]]] = {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if "effects" in content:
            raise StudyError(
                what=path.name,
                needed="effects by accompaniment and outcome, those of a simulated département",
                found="effects by share helped, those of simulated markets",
                remedy="leave 'truth' out, and read that file beside the report",
            )
        for row in content["population"]:
            effects = known.setdefault((row["accompaniment"], row["outcome"]), {})
            effects[int(row["month"])] = float(row["value"]), float(row["std_error"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StudyError(
            what=path.name,
            needed="a truth file written by `whatworks simulate`",
            found=type(error).__name__,
            remedy="simulate the world again",
        ) from error
    return known
