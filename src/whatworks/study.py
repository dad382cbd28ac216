"""A study file: the whole walk written down, so that it can be run again by anyone.

One file names the sources, the window, the questions, how comparisons are chosen and which estimators
are fitted. `run` walks it and returns one entry of evidence per question.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from whatworks.design import Design, Layout, Question, compare, lay_out
from whatworks.design.causes.pathway import Pathway
from whatworks.design.comparison import Comparison
from whatworks.design.registry import COMPARISONS
from whatworks.errors import StudyError, WhatworksError, suggestion
from whatworks.estimate import ESTIMATORS
from whatworks.estimate.protocol import Estimator
from whatworks.evidence import Benchmark, Refusal, weigh
from whatworks.indicators import Assessment, Gate, Measured, assess, lookup, measure
from whatworks.panel import Panel, expand
from whatworks.report import Entry
from whatworks.sources import Records, read
from whatworks.sources.toml_problems import misuse, plain_problem
from whatworks.spells import reconcile
from whatworks.spells.link import linked
from whatworks.vocabulary import KIND, Kind

Options = dict[str, JsonValue]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Window(_Strict):
    """Months of the panel, ``YYYY-MM``."""

    first: str
    last: str


class Asked(_Strict):
    """What a question may say; keys are those of `whatworks.Question`."""

    treatment: str | None = None
    outcome: str | None = None
    title: str = ""
    versus: str = "not_yet_started"
    estimand: str = "ATT"
    months: tuple[int, ...] = (6, 12, 18, 24)
    primary: int = -1
    eligible: tuple[str, ...] = ()
    territories: tuple[str, ...] = ()
    ages: tuple[int, int] | None = None
    born: str = "birth_month"
    washout: int | None = None
    elapsed_in: str | None = None
    elapsed_band: int = 1
    after: str | None = None
    within: int | None = None
    stay_at_least: int | None = None
    stay_at_most: int | None = None
    later_starts: str = "keep"
    covariates: tuple[str, ...] = ()
    placebo_months: tuple[int, int] | None = None
    first_entry: str | None = None
    last_entry: str | None = None


class QuestionText(Asked):
    """One question; what it leaves out is read in ``common``."""

    slug: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class StudyFile(_Strict):
    """The whole file."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    title: str
    section: Literal["evaluations", "pathways", "companion", "synthetic"] = "evaluations"
    sources: str
    panel: Window
    common: Asked = Asked()
    """What all questions share."""
    questions: Annotated[tuple[QuestionText, ...], Field(min_length=1)]
    comparison: Options = {"method": "nearest_neighbours", "ratio": 3, "caliper_sd": 0.2}
    estimators: Annotated[tuple[Options, ...], Field(min_length=1)] = (
        {"method": "MatchedDifference", "bias_adjust": True},
    )
    gate: str | None = None
    """File of the reliability gate: thresholds, breaks, independent counts, waivers."""
    graph: str | None = None
    """File of a causal graph that every comparison must satisfy."""
    asked: tuple[str, ...] = ()
    """Indicators someone asked for as results: each is assessed, and its refusal printed."""
    truth: str | None = None
    """File of known effects, written by ``whatworks simulate`` beside a simulated world."""

    @model_validator(mode="after")
    def _slugs_differ(self) -> StudyFile:
        slugs = [q.slug for q in self.questions]
        twice = sorted({slug for slug in slugs if slugs.count(slug) > 1})
        if twice:
            raise misuse(
                "questions",
                needed="a slug of its own for every question",
                found=f"{twice[0]!r} twice",
                remedy="rename one of the two",
            )
        return self

    def question(self, asked: QuestionText) -> Question:
        """A question with what it shares with the others.

        Raises
        ------
        StudyError
            When neither it nor ``common`` names a treatment or an outcome.
        """
        given = {
            **self.common.model_dump(exclude_unset=True),
            **asked.model_dump(exclude_unset=True, exclude={"slug"}),
        }
        for key in ("treatment", "outcome"):
            if not given.get(key):
                raise StudyError(
                    what=f"question {asked.slug!r}",
                    needed=f"the key {key!r}, in the question or in [common]",
                    found="none",
                    remedy=f"add {key!r}",
                )
        return Question(**given)


def load(path: Path) -> tuple[StudyFile, str]:
    """Read and validate a study file; returns it with the SHA-256 of its bytes.

    Raises
    ------
    StudyError
        Naming the file, the key, and the nearest key that exists.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise StudyError(
            what=str(path),
            needed="a readable study file",
            found=error.strerror or "no such file",
            remedy="check the path",
        ) from None
    try:
        content = tomllib.loads(raw.decode("utf-8-sig"))
        return StudyFile.model_validate(content), hashlib.sha256(raw).hexdigest()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(
            what=str(path),
            needed="a TOML file in UTF-8",
            found=str(error),
            remedy="correct that place",
        ) from None
    except ValidationError as error:
        needed, found, remedy = plain_problem(error, raw.decode("utf-8"), StudyFile)
        raise StudyError(what=path.name, needed=needed, found=found, remedy=remedy) from None


def build(kinds: Mapping[str, type[Any]], options: Options, *, what: str) -> Any:
    """An object of a registry from the options of a file.

    Raises
    ------
    StudyError
        For an unknown method or option; names the nearest.
    """
    name = str(options.get("method", ""))
    if name not in kinds:
        raise StudyError(
            what=f"{what}.method",
            needed="one of " + ", ".join(kinds),
            found=repr(name),
            remedy=suggestion(name, kinds) or "choose one of those",
        )
    known = {f.name for f in fields(kinds[name])}
    given: dict[str, Any] = {k: v for k, v in options.items() if k != "method"}
    unknown = [k for k in given if k not in known]
    if unknown:
        raise StudyError(
            what=f"{what} {name}",
            needed="options among " + ", ".join(sorted(known)) if known else "no option",
            found=repr(unknown[0]),
            remedy=suggestion(unknown[0], known) or "remove it",
        )
    for key, value in given.items():
        kind = TypeAdapter(get_type_hints(kinds[name])[key])
        try:
            # Read as JSON: a list may fill a tuple and a table a record, nothing else changes type.
            given[key] = kind.validate_json(json.dumps(value), strict=True)
        except (ValidationError, TypeError) as error:
            needed = "a table with the keys it has, and no other"
            if isinstance(error, ValidationError):
                needed = error.errors()[0]["msg"].lower().removeprefix("input should be ")
            raise StudyError(
                what=f"{what} {name}.{key}",
                needed=needed,
                found=repr(value),
                remedy="write the value in that shape",
            ) from None
    return kinds[name](**given)


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
        methods=[build(ESTIMATORS, o, what="estimators") for o in study.estimators],
        graph=Pathway.load(path.parent / study.graph) if study.graph else None,
    )
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
    }
    # Questions that agree on their rules share one reading of the panel.
    layouts = lay_out(panel, [study.question(q) for q in study.questions])
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
    design: Design = compare(
        gated.panel,
        question,
        using=choices.using,
        gate=gated.gate,
        measured=gated.measured,
        layouts=gated.layouts,
        graph=choices.graph,
    )
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
        provenance={**provenance, "comparison": repr(choices.using)},
    )
    return Entry(
        slug=asked.slug,
        title=question.title,
        section=study.section,
        evidence=evidence,
    )


def _truth(path: Path) -> dict[tuple[str, str], dict[int, tuple[float, float]]]:
    """Known effects by treatment and outcome."""
    known: dict[tuple[str, str], dict[int, tuple[float, float]]] = {}
    try:
        for row in json.loads(path.read_text(encoding="utf-8"))["population"]:
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


__all__ = ["StudyFile", "build", "load", "run"]
