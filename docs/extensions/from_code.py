"""Pages that say what the code says: method cards, indicators, rating, commands.

``write_cards`` writes one page per registered estimator into ``reference/methods/``, which is not
kept under version control. The directives ``indicators``, ``gate``, ``caps``, ``checks``, ``commands``
lay out what they are named after where they stand.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Final

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from typer.main import get_command

from whatworks import ESTIMATORS, cli
from whatworks.evidence import rating
from whatworks.indicators import indicators, lookup
from whatworks.indicators.gate import COUNTS, THRESHOLDS
from whatworks.report.language import words
from whatworks.vocabulary import Nature

Row = tuple[str, ...]
weighing: Final = import_module("whatworks.evidence.weigh")  # the package's name of it is the verb
BOUNDS: Final = (
    "HOLDS_BELOW",
    "HOLDS_FROM",
    "STRAINED_BELOW",
    "FAILS_BELOW",
    "FAILS_ABOVE",
    "LEVEL",
)

CARD = """\
.. Written from the docstring of {module} at every build: change it there.

{title}
{rule}

{card}

Options
-------

.. autoclass:: whatworks.{name}
   :no-index:
   :members: fit
"""


def cards() -> Iterator[tuple[str, str]]:
    """Name and reStructuredText of each registered estimator's card."""
    for name, kind in ESTIMATORS.items():
        card = (sys.modules[kind.__module__].__doc__ or "").strip()
        yield (
            name,
            CARD.format(
                module=kind.__module__, title=name, rule="=" * len(name), card=card, name=name
            ),
        )


def write_cards(app: Sphinx) -> None:
    """Write the cards that changed and remove those of estimators that are gone."""
    folder = Path(app.srcdir) / "reference" / "methods"
    folder.mkdir(exist_ok=True)
    pages = {f"{name}.rst": text for name, text in cards()}
    for stale in folder.glob("*.rst"):
        if stale.name not in pages:
            stale.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


class Table(SphinxDirective):
    """A directive that stands for a Markdown text made from the code."""

    option_spec: ClassVar[dict[str, object]] = {}

    def markdown(self) -> str:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(self.markdown())


def table(header: Row, rows: Iterable[Row]) -> str:
    """Markdown table; bars inside cells are escaped."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(
        f"| {' | '.join(c.replace('|', chr(92) + '|') for c in row)} |" for row in lines
    )


def code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "—"


def plain(name: str) -> str:
    return name.replace("_", " ")


class Indicators(Table):
    """Every registered indicator: outcomes with their switches, then what is refused as a result."""

    def markdown(self) -> str:
        outcomes = [lookup(name) for name in indicators(Nature.OUTCOME)]
        shown = table(
            ("identifier", "unit of an effect", "needs in the panel", "switches of the definition"),
            (
                (
                    f"`{i.id}`",
                    i.unit,
                    code((*i.kinds, *i.codes)),
                    "; ".join(f"{plain(k)}: {plain(v)}" for k, v in i.switches.items()),
                )
                for i in outcomes
            ),
        )
        refused = table(
            ("nature", "identifiers"),
            ((str(n), code(indicators(n))) for n in Nature if n is not Nature.OUTCOME),
        )
        headings = "**Outcomes**", "**Registered so that asking for one is answered by a refusal**"
        return f"{headings[0]}\n\n{shown}\n\n{headings[1]}\n\n{refused}"


def bound(criterion: str, value: float) -> str:
    """Threshold of a criterion: a share, a count where it counts, or none."""
    counts = COUNTS - {"completeness"}
    if value == float("inf"):
        return "never"
    return f"{value:.0f}" if criterion in counts else f"{value:.1%}"


class Gate(Table):
    """Criteria of the reliability gate and their two thresholds."""

    def markdown(self) -> str:
        return table(
            ("criterion", "a reserve above", "a refusal above"),
            (
                (f"`{name}`", *(bound(name, b) for b in (reserve, refuse)))
                for name, (reserve, refuse) in THRESHOLDS.items()
            ),
        )


class Caps(Table):
    """Most strength a design of each class can reach."""

    def markdown(self) -> str:
        ordered = sorted(rating.CAPS.items(), key=lambda item: -item[1])
        return table(
            ("class of design", "in the report", "at most"),
            (
                (f"`{kind}`", words("en").text(f"design_class.{kind}.label"), str(cap))
                for kind, cap in ordered
            ),
        )


class Checks(Table):
    """Every check: its question, its measure, its bounds, what a failure costs."""

    def markdown(self) -> str:
        return "\n\n".join(map(self._check, weighing.CHECKS))

    def _check(self, check: ModuleType) -> str:
        name = check.__name__.rpartition(".")[2]
        bounds = " · ".join(
            f"{plain(constant.lower())} {value:g}"
            for constant, value in vars(check).items()
            if constant in BOUNDS
        )
        code_, points, _ = rating._DEDUCTIONS.get(name, ("", 0, ()))  # noqa: SLF001 - shown, not used
        cost = f"A failure costs {points} (`{code_}`)." if points else "It costs no point."
        question, measure = first_sentence(check), first_sentence(check.run)
        return f"**`{name}`**\n: {question} {measure} Bounds: {bounds}. {cost} {check.REFERENCE}."


def first_sentence(thing: object) -> str:
    return (thing.__doc__ or "").strip().partition("\n\n")[0].replace("\n", " ")


def commands(group: Any) -> Iterator[tuple[str, Any]]:
    """Commands by the words that call them, those of a group after its name."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from ((f"{name} {word}", inner) for word, inner in commands(command))
        else:
            yield name, command


class Commands(Table):
    """The commands, their arguments and options, as ``--help`` has them."""

    def markdown(self) -> str:
        parts = []
        for name, command in commands(get_command(cli.app)):
            rows = [
                (
                    code(
                        p.opts if p.param_type_name == "option" else [p.metavar or p.name.upper()]
                    ),
                    getattr(p, "help", "") or "",
                    "required" if p.required else code([str(p.default)] if p.default else []),
                )
                for p in command.params
            ]
            parts.append(
                f"**`whatworks {name}`** — {command.help}\n\n"
                + table(("argument or option", "meaning", "default"), rows)
            )
        return "\n\n".join(parts)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", write_cards)
    for name, directive in (
        ("indicators", Indicators),
        ("gate", Gate),
        ("caps", Caps),
        ("checks", Checks),
        ("commands", Commands),
    ):
        app.add_directive(name, directive)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
