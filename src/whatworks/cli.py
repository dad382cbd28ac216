"""The command line. Exit codes: 0 done, 2 the request cannot be read, 3 the answer is no."""

from __future__ import annotations

import io
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from whatworks.errors import MappingError, WhatworksError, choice

if TYPE_CHECKING:
    from whatworks.sources import Records

app = typer.Typer(
    name="whatworks",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help=(
        "Impact evaluation of accompaniments on people's pathways: outcomes, never activity counts."
        "\n\nA first run: [bold]whatworks demo[/bold]. Then write a mapping of your files, see what "
        "it is worth with [bold]whatworks check sources.toml[/bold], and ask your questions in a "
        "study file: [bold]whatworks run study.toml[/bold]."
        "\n\nExit codes: 0 done · 2 the request cannot be read · 3 refused, with the reason."
    ),
    rich_markup_mode="rich",
)
out = Console()
err = Console(stderr=True)

Out = Annotated[
    Path, typer.Option("--out", "-o", help="Folder of the report, written whole or not at all.")
]
Lang = Annotated[str, typer.Option("--lang", help="Language of the report: fr or en.")]


def _say(step: str) -> None:
    """Tell, on the side, what is being done."""
    err.print(f"  · {step}", markup=False, highlight=False)


def _show_version(asked: bool) -> None:  # noqa: FBT001 - typer calls it so
    if asked:
        out.print(f"whatworks {version('whatworks')}", highlight=False)
        raise typer.Exit


@app.callback()
def _whole(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say which version."),
    ] = False,
) -> None:
    """Options of no command in particular; the help of the whole stands above."""


@app.command()
def demo(folder: Out = Path("out/demo"), lang: Lang = "fr") -> None:
    """Run the main job on real pathways and on a simulated département, and say where the report is."""
    choice(lang, ("fr", "en"), what="--lang")
    from whatworks import demo as demonstration
    from whatworks.report.folder import check_writable

    check_writable(folder)
    page = demonstration.run(folder, lang=lang, progress=_say)
    out.print(f"Report: {page}", soft_wrap=True, markup=False, highlight=False)


@app.command()
def simulate(
    folder: Annotated[
        Path, typer.Argument(help="Folder to write; must not exist, or hold a world.")
    ],
    persons: Annotated[int | None, typer.Option(help="Persons in the sample.", min=100)] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the world.", min=0)] = None,
    *,
    truth: Annotated[
        bool, typer.Option(help="Also simulate the population behind truth.json (half a minute).")
    ] = True,
) -> None:
    """Write a synthetic département in raw operator formats, with its mapping and its truth."""
    from whatworks import worlds

    default = worlds.Departement()
    options = worlds.Departement(
        n_persons=default.n_persons if persons is None else persons,
        seed=default.seed if seed is None else seed,
    )
    worlds.write(
        worlds.simulate(options),
        folder,
        truth_persons=worlds.POPULATION if truth else 0,
        progress=_say,
    )
    out.print(f"World: {folder}", soft_wrap=True, markup=False, highlight=False)


@app.command()
def run(
    study_file: Annotated[Path, typer.Argument(metavar="STUDY.toml", help="The study file.")],
    folder: Out = Path("out/report"),
    lang: Lang = "fr",
) -> None:
    """Walk a study from raw files to its report."""
    choice(lang, ("fr", "en"), what="--lang")
    from whatworks import study
    from whatworks.report import render_collection
    from whatworks.report.folder import check_writable

    check_writable(folder)
    entries = study.run(study_file, progress=_say)
    _say("pages, tables, figures")
    page = render_collection(entries, folder, title=study.load(study_file)[0].title, lang=lang)
    out.print(f"Report: {page}", soft_wrap=True, markup=False, highlight=False)


@app.command()
def check(
    sources_file: Annotated[Path, typer.Argument(metavar="SOURCES.toml", help="The mapping file.")],
) -> None:
    """Read the sources, print the reading ledger, and say which outcomes they can carry."""
    from whatworks import panel, sources, spells
    from whatworks.indicators import indicators
    from whatworks.months import to_label
    from whatworks.vocabulary import GateVerdict, Nature

    records = sources.read(sources_file)
    if not records.coverage:
        raise MappingError(
            what=str(sources_file),
            needed="at least one source that tells of states: layout spells, snapshots or wide",
            found="sources of persons only",
            remedy="add the table of such a source",
        )
    months = [m for c in records.coverage for m in (c.first, c.last)]
    laid = panel.expand(
        spells.reconcile(records), first=to_label(min(months)), last=to_label(max(months))
    )
    out.print(_table("Sources", _losses(records)))
    rows = laid.ledger.frame().astype(str)
    out.print(_table("Reading ledger", {str(name): list(rows[name]) for name in rows}))
    verdicts = {name: laid.assess(name) for name in indicators(Nature.OUTCOME)}
    out.print(
        _table(
            "Outcomes",
            {
                "outcome": list(verdicts),
                "verdict": [str(a.verdict) for a in verdicts.values()],
                "why": [
                    "; ".join(f"{r.code} ({r.where})" for r in a.refusals)
                    for a in verdicts.values()
                ],
            },
        )
    )
    if all(a.verdict is GateVerdict.REFUSED for a in verdicts.values()):
        raise typer.Exit(3)


def _losses(records: Records) -> dict[str, list[str]]:
    """Say what was kept of each source, and the share that was lost for whatever reason."""
    names = {file.source for file in records.files}
    steps = [step for step in records.ledger.steps if step.name in names and step.unit != "persons"]
    return {
        "source": [step.name for step in steps],
        "read": [f"{step.before:,} {step.unit}" for step in steps],
        "kept": [f"{step.after:,}" for step in steps],
        "lost": [f"{1 - step.after / max(step.before, 1):.1%}" for step in steps],
    }


def _table(title: str, columns: dict[str, list[str]]) -> Table:
    table = Table(title=title)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    return table


def main() -> None:
    """Entry point: a user's mistake ends in a sentence and an exit code, never in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal without accents shows marks in their place rather than nothing at all.
            stream.reconfigure(errors="replace")
    try:
        app()
    except WhatworksError as error:
        err.print(f"[bold]{type(error).__name__}[/bold] · ", end="")
        err.print(error.what, soft_wrap=True, markup=False, highlight=False)
        for name in ("needed", "found"):
            err.print(
                f"  {name}: {getattr(error, name)}", soft_wrap=True, markup=False, highlight=False
            )
        err.print(f"  to do: {error.remedy}", soft_wrap=True, markup=False, highlight=False)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
