"""The command line. Exit codes: 0 done, 2 the request cannot be read, 3 the answer is no."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from whatworks.cli_planning import add_to
from whatworks.ending import ending
from whatworks.errors import OptionError, choice

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
        "\n\nExit codes: 0 done · 2 the request cannot be read · 3 refused, with the reason · "
        "130 or 143 stopped from outside."
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
    world: Annotated[
        str, typer.Option(help="departement, or jobs: markets where jobs are finite.")
    ] = "departement",
    *,
    truth: Annotated[
        bool, typer.Option(help="Also simulate the population behind truth.json (half a minute).")
    ] = True,
) -> None:
    """Write a synthetic département, or markets, in raw operator formats, with mapping and truth."""
    choice(world, ("departement", "jobs"), what="--world")
    from whatworks import worlds

    if world == "jobs":
        rollout = worlds.JobsRollout.of_size(persons=persons, seed=seed)
        worlds.write_rollout(worlds.simulate_rollout(rollout), folder, truth=truth)
        out.print(f"World: {folder}", soft_wrap=True, markup=False, highlight=False)
        return
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
    gate_file: Annotated[
        Path | None,
        typer.Option("--gate", help="Thresholds, declared breaks, counts and waivers, in TOML."),
    ] = None,
    heatmap: Annotated[
        Path | None,
        typer.Option(help="Also draw missing data by source and month: FILE.svg or FILE.png."),
    ] = None,
    lang: Annotated[
        str, typer.Option("--lang", help="Language of sentences and figure: fr or en.")
    ] = "fr",
    horizon: Annotated[
        int | None,
        typer.Option(help="Months since entry at which outcomes would be read.", min=1),
    ] = None,
    cohort: Annotated[
        str | None, typer.Option(help="With a horizon: months of entry, as 2025-01:2025-12.")
    ] = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON on the standard output, and nothing else.")
    ] = False,
) -> None:
    """Read the sources, print the reading ledger, and say which outcomes they can carry."""
    choice(lang, ("fr", "en"), what="--lang")
    kind = _drawn_as(heatmap)
    months = _months(cohort, horizon)
    from whatworks import checking
    from whatworks.indicators import Gate
    from whatworks.report.language import words

    gate = Gate.default() if gate_file is None else Gate.load(gate_file)
    found = checking.check(sources_file, gate, horizon=horizon, cohort=months)
    if heatmap is not None:
        from whatworks.report.heatmap import heatmap as draw

        _write_whole(heatmap, draw(found.measured, kind=kind, lang=lang))
    if as_json:
        typer.echo(checking.as_json(found))
    else:
        for title, columns in checking.tables(found).items():
            if next(iter(columns.values())):
                out.print(_table(title, columns))
                out.print()
        speak = words(lang)
        if unmeasured := found.unmeasured:
            _line(speak.text("gate.unmeasured", {"criteria": ", ".join(unmeasured)}))
        if strangers := found.strangers:
            _line(speak.text("gate.absent_sources", {"sources": ", ".join(strangers)}))
        for line in found.reserves(speak):
            _line(f"~ {line}")
        for line in found.refusals(speak):
            _line(f"× {line}")
    if found.refused:
        raise typer.Exit(3)


@app.command(name="indicators")
def list_indicators(
    name: Annotated[
        str | None, typer.Argument(help="One indicator; all of them otherwise.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="Shipped template or mapping file it would be read from."),
    ] = None,
    lang: Annotated[str, typer.Option("--lang", help="Language of labels: fr or en.")] = "fr",
) -> None:
    """List the indicators, their nature and the switches of their definitions.

    With a source: say whether it can show the one asked, or which ones it can show. No data is read.
    """
    choice(lang, ("fr", "en"), what="--lang")
    from whatworks import listing
    from whatworks.report.language import words

    speak = words(lang)
    if name is not None and source is not None:
        listing.refuse_unless_shown(name, source)
    for identifier in listing.chosen(name, source):
        for line in listing.lines(identifier, speak):
            _line(line)


schema = typer.Typer(no_args_is_help=True, help="Print the JSON Schema of a file, for an editor.")
app.add_typer(schema, name="schema")


@schema.callback()
def _schemas() -> None:
    """Print the JSON Schema of a file, for an editor."""


@schema.command(name="mapping")
def schema_of_mapping() -> None:
    """Print the JSON Schema of mapping files."""
    import json

    from whatworks.sources.mapping import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


@app.command()
def templates(
    name: Annotated[str | None, typer.Argument(help="Template to print.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to write it to, or all of them.")
    ] = None,
) -> None:
    """List the mapping files shipped for sources of France, print one, or write them to a folder."""
    from whatworks.sources import templates as shipped

    chosen = shipped.names() if name is None else (name,)
    texts = {f"{each}.toml": shipped.text(each) for each in chosen}
    if folder is not None:
        for file in texts:
            if (folder / file).exists():
                raise OptionError(
                    what=str(folder / file),
                    needed="a place where no file stands",
                    found="a file",
                    remedy="choose another folder, or move that file away",
                )
        for file, text in texts.items():
            _write_whole(folder / file, text.encode())
            _line(f"Template: {folder / file}")
    elif name is None:
        width = max(map(len, chosen))
        for each in chosen:
            _line(f"{each:{width}}  {shipped.title(each)}")
    else:
        typer.echo(texts[f"{name}.toml"], nl=False)


@app.command()
def build(
    sources_file: Annotated[Path, typer.Argument(metavar="SOURCES.toml", help="The mapping file.")],
    first: Annotated[str, typer.Option(help="First month of the panel, YYYY-MM.")],
    last: Annotated[str, typer.Option(help="Last month, included.")],
    folder: Annotated[
        Path,
        typer.Option("--out", "-o", help="Folder of the panel, written or refreshed."),
    ] = Path("out/panel"),
    memory: Annotated[
        str, typer.Option(help="Most memory the engine takes before it spills, e.g. 4GB.")
    ] = "4GB",
) -> None:
    """Lay the sources out by person and month, in partitioned Parquet files.

    Persons are linked across systems first when the mapping says how.
    A later run touches only what changed; an interrupted one goes on.
    """
    from whatworks.panel.build import build as lay_out
    from whatworks.panel.expand import window_of
    from whatworks.panel.store import check_place
    from whatworks.sources import connect, read
    from whatworks.spells.link import linked

    window_of(first, last)
    check_place(folder)
    engine = connect(memory_limit=memory)
    _say("reading the sources")
    records = linked(read(sources_file, connection=engine), progress=_say)
    panel = lay_out(records, folder, first=first, last=last, progress=_say)
    _line(f"Panel: {folder} ({panel.n_persons:,} persons)")


add_to(app)


def _months(cohort: str | None, horizon: int | None) -> tuple[str, str] | None:
    """First and last month of ``FIRST:LAST``."""
    if cohort is None:
        return None
    if horizon is None:
        raise OptionError(
            what="--cohort",
            needed="a horizon with it",
            found="no --horizon",
            remedy="add for instance --horizon 12, or leave --cohort out",
        )
    first, colon, last = cohort.partition(":")
    if not colon:
        raise OptionError(
            what="--cohort",
            needed="two months, as 2025-01:2025-12",
            found=repr(cohort),
            remedy="write the first and the last month with a colon between",
        )
    return first, last


def _drawn_as(path: Path | None) -> str:
    """Format of a figure, by the end of its name."""
    if path is None:
        return ""
    return choice(path.suffix.lower().removeprefix("."), ("svg", "png"), what=f"--heatmap {path}")


def _write_whole(path: Path, content: bytes) -> None:
    """Put a file in its place in one move, or leave the place as it was."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=".whatworks-", delete=False) as file:
            file.write(content)
        Path(file.name).chmod(0o644)
        Path(file.name).replace(path)
    except OSError as error:
        raise OptionError(
            what=str(path),
            needed="a place that can be written",
            found=(error.strerror or type(error).__name__).lower(),
            remedy="choose another place",
        ) from None


def _line(text: str) -> None:
    out.print(text, soft_wrap=True, markup=False, highlight=False)


def _table(title: str, columns: dict[str, list[str]]) -> Table:
    # No frame: names of steps and reasons fit whole in 80 columns.
    table = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    for name, cells in columns.items():
        figures = all(cell[:1].isdecimal() for cell in cells)
        table.add_column(name, overflow="fold", justify="right" if figures else "left")
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    return table


def main() -> None:
    """Entry point: a user's mistake ends in a sentence and an exit code, never in a traceback."""
    with ending(err):
        app()


if __name__ == "__main__":
    main()
