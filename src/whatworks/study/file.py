"""What a study file says: its keys, and the objects they name."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_type_hints

from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from whatworks.design import Question
from whatworks.errors import StudyError, suggestion
from whatworks.evidence import Stakes
from whatworks.evidence.scenarios import PROGRAMMES
from whatworks.sources.mapping.strict import Strict
from whatworks.sources.toml_problems import misuse, plain_problem
from whatworks.study.keys import Taken, keys_of
from whatworks.study.markets import MarketsText

Options = dict[str, JsonValue]
_COMPARED: Final[Options] = {"method": "nearest_neighbours", "ratio": 3, "caliper_sd": 0.2}


def _programme(name: str | None) -> str | None:
    if name is not None and name not in PROGRAMMES:
        raise misuse(
            "",
            needed="one of " + ", ".join(PROGRAMMES),
            found=repr(name),
            remedy=suggestion(name, PROGRAMMES) or "choose one of those",
        )
    return name


if TYPE_CHECKING:  # a type checker reads classes, not what makes them
    StakesText = Taken
else:
    _share = Annotated[float | None, Field(gt=0, le=1, strict=True)]
    StakesText = keys_of(
        Stakes,
        but={
            "cost": (Annotated[float | None, Field(ge=0, strict=True)], None),
            "value": (Annotated[float | None, Field(gt=0, strict=True)], None),
            "pool_share": (_share, None),
            "share": (_share, None),
            "programme": (Annotated[str | None, AfterValidator(_programme)], None),
            "tightness": (Annotated[float | None, Field(ge=0, strict=True)], None),
        },
    )


class Window(Strict):
    """Months of the panel, ``YYYY-MM``."""

    first: str
    last: str


class Asked(Strict):
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
    stakes: StakesText | None = None
    """What its jobs cost and are worth, where it is not as in the file's own ``stakes``."""


class RolloutText(Strict):
    """How treatment rolls out; keys are those of `whatworks.roll_out`."""

    level: Literal["commune", "zone", "departement", "market"] = "departement"
    starts: dict[str, str] | None = None


class StudyFile(Strict):
    """The whole file."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    title: str
    section: Literal["evaluations", "pathways", "companion", "synthetic"] = "evaluations"
    sources: str
    panel: Window
    common: Asked = Asked()
    """What all questions share."""
    questions: Annotated[tuple[QuestionText, ...], Field(min_length=1)]
    comparison: Options = Field(default_factory=lambda: dict(_COMPARED))
    rollout: RolloutText | None = None
    """Territories that start one after the other, instead of comparisons chosen person by person."""
    markets: MarketsText | None = None
    """Where people compete for jobs."""
    stakes: StakesText | None = None
    """Whether jobs are scarce, what they cost and are worth; keys are those of `whatworks.Stakes`."""
    estimators: Annotated[tuple[Options, ...], Field(min_length=1)] | None = None
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

    @model_validator(mode="after")
    def _compared_in_one_way(self) -> StudyFile:
        given = sorted({"comparison", "graph"} & self.model_fields_set)
        if self.rollout is not None and given:
            raise misuse(
                given[0],
                needed="a rollout, or comparisons chosen person by person",
                found=f"[rollout] and {given[0]!r}",
                remedy="remove one of the two",
            )
        return self

    @model_validator(mode="after")
    def _markets_of_the_design(self) -> StudyFile:
        if self.markets is None:
            return self
        if self.rollout is not None and self.markets.by:
            raise misuse(
                "markets.by",
                needed="no 'by' with [rollout], whose territories are its markets",
                found="[rollout] and 'by'",
                remedy="remove it; files about markets may stay",
            )
        if self.rollout is None and not self.markets.by:
            raise misuse(
                "markets",
                needed="the key 'by': what makes a market",
                found="none",
                remedy="write for instance by = ['zone']",
            )
        return self

    @property
    def methods(self) -> tuple[Options, ...]:
        """Estimators asked for, or the one that suits the design."""
        if self.estimators is not None:
            return self.estimators
        if self.rollout is not None:
            return ({"method": "CallawaySantAnna"},)
        return ({"method": "MatchedDifference", "bias_adjust": True},)

    def at_stake(self, asked: QuestionText) -> Stakes:
        """Stakes of a question: its own, then those of the file."""
        told = [text.taken() for text in (self.stakes, asked.stakes) if text is not None]
        return Stakes(**{key: value for one in told for key, value in one.items()})

    def question(self, asked: QuestionText) -> Question:
        """A question with what it shares with the others.

        Raises
        ------
        StudyError
            When neither it nor ``common`` names a treatment or an outcome.
        """
        given = {
            **self.common.model_dump(exclude_unset=True),
            **asked.model_dump(exclude_unset=True, exclude={"slug", "stakes"}),
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
