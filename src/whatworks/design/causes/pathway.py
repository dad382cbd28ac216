"""The causal graph of a question: what is held to cause what, read from a file anyone can edit."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from whatworks.errors import StudyError, suggestion
from whatworks.sources.toml_problems import misuse, plain_problem
from whatworks.vocabulary import ENTRY_MONTH

TREATMENT: Final = "treatment"
OUTCOME: Final = "outcome"

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Label(BaseModel):
    """Words printed in the drawing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fr: str
    en: str


class Node(BaseModel):
    """One cause.

    Parameters
    ----------
    measured_by : tuple of str
        Covariates of which one is enough to hold it, ``*`` for anything; empty when not observed.
    causes : tuple of str
        Nodes it acts on directly.
    when : str
        ``"before"`` entry or ``"after"`` it.
    caused_by_treatment : bool
        True when the treatment acts on it.
    label : Label, optional
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    causes: tuple[Name, ...] = ()
    measured_by: tuple[str, ...] = ()
    when: Literal["before", "after"] = "before"
    caused_by_treatment: bool = False
    label: Label | None = None

    def measures(self, covariate: str) -> bool:
        """Whether a covariate measures it."""
        return any(fnmatchcase(covariate, pattern) for pattern in self.measured_by)


class Pathway(BaseModel):
    """A directed acyclic graph of causes around a treatment and an outcome.

    Examples
    --------
    >>> graph = Pathway.default()
    >>> graph.nodes["age"].causes[:2], graph.placed("birth_month.age")
    (('treatment', 'outcome'), ('age',))
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: Annotated[Literal[1], Field(alias="schema")]
    title: str = ""
    nodes: dict[Name, Node]
    shipped: bool = Field(default=False, exclude=True)

    @model_validator(mode="after")
    def _causes_exist_and_never_return(self) -> Pathway:
        known = (*self.nodes, TREATMENT, OUTCOME)
        for name in (TREATMENT, OUTCOME):
            if name in self.nodes:
                raise misuse(
                    f"nodes.{name}",
                    needed="nodes beside treatment and outcome, which are there already",
                    found=f"one named {name!r}",
                    remedy="write what acts on it in the `causes` of the other nodes",
                )
        for name, node in self.nodes.items():
            for effect in node.causes:
                if effect not in known:
                    raise misuse(
                        f"nodes.{name}.causes",
                        needed="nodes of this file, treatment or outcome",
                        found=repr(effect),
                        remedy=suggestion(effect, known) or "add that node",
                    )
        ring = self._ring()
        if ring:
            raise misuse(
                "nodes",
                needed="causes that never come back to themselves",
                found=" → ".join(ring),
                remedy="take out one of those arrows, or cut a node in two by date",
            )
        return self

    @classmethod
    def default(cls) -> Pathway:
        """The graph shipped for pathways of persons accompanied towards work."""
        text = (files("whatworks.design.causes.graphs") / "pathway.toml").read_text(
            encoding="utf-8"
        )
        return cls.model_validate({**tomllib.loads(text), "shipped": True})

    @classmethod
    def load(cls, path: str | Path) -> Pathway:
        """Read a graph from a TOML file.

        Raises
        ------
        StudyError
            Naming the file, the key and its line.
        """
        place = Path(path)
        try:
            text = place.read_bytes().decode("utf-8-sig")
            return cls.model_validate(tomllib.loads(text))
        except OSError as error:
            raise StudyError(
                what=place.name,
                needed="a readable graph file",
                found=error.strerror or "no such file",
                remedy="check the path",
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise StudyError(
                what=place.name,
                needed="a TOML file in UTF-8",
                found=str(error),
                remedy="correct that place",
            ) from None
        except ValidationError as error:
            needed, found, remedy = plain_problem(error, text, cls)
            raise StudyError(what=place.name, needed=needed, found=found, remedy=remedy) from None

    def edges(self) -> tuple[tuple[str, str], ...]:
        """Every arrow, cause first."""
        given = [(name, effect) for name, node in self.nodes.items() for effect in node.causes]
        taught = [
            (TREATMENT, name) for name, node in self.nodes.items() if node.caused_by_treatment
        ]
        return ((TREATMENT, OUTCOME), *taught, *dict.fromkeys(given))

    def after_entry(self) -> frozenset[str]:
        """Nodes that no comparison may hold: declared as such, or caused by the treatment."""
        found = {name for name, node in self.nodes.items() if node.when == "after"}
        reached, ahead = set[str](), [TREATMENT]
        while ahead:
            cause = ahead.pop()
            for before, effect in self.edges():
                if before == cause and effect not in reached:
                    reached.add(effect)
                    ahead.append(effect)
        return frozenset((found | reached) - {OUTCOME, TREATMENT})

    def observed(self) -> frozenset[str]:
        """Nodes that some covariate could measure before entry."""
        late = self.after_entry()
        return frozenset(n for n, node in self.nodes.items() if node.measured_by and n not in late)

    def placed(self, covariate: str) -> tuple[str, ...]:
        """Nodes that a covariate measures; ``sex=woman`` counts as ``sex``."""
        name = covariate.split("=", maxsplit=1)[0]
        return tuple(n for n, node in self.nodes.items() if node.measures(name))

    def aligned(self) -> tuple[str, ...]:
        """Nodes that comparing within a calendar month holds."""
        return self.placed(ENTRY_MONTH)

    def _ring(self) -> tuple[str, ...]:
        """Nodes of a cycle in order, first repeated at the end; empty when there is none."""
        after: dict[str, list[str]] = {}
        for cause, effect in self.edges():
            after.setdefault(cause, []).append(effect)
        done: set[str] = set()

        def walk(node: str, trail: tuple[str, ...]) -> tuple[str, ...]:
            if node in trail:
                return (*trail[trail.index(node) :], node)
            if node in done:
                return ()
            for effect in after.get(node, ()):
                found = walk(effect, (*trail, node))
                if found:
                    return found
            done.add(node)
            return ()

        return next((ring for start in list(after) if (ring := walk(start, ()))), ())
