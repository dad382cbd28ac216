"""Commands for the next experiment: what it would tell, who is drawn, and whether that was the draw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from whatworks.errors import OptionError

if TYPE_CHECKING:
    from whatworks.planning import Trial

out = Console()

Shares = Annotated[
    str, typer.Option(help="Shares of markets to draw, e.g. 0,0.25,0.5,0.75,1; 0 is pure control.")
]
PerStratum = Annotated[
    str,
    typer.Option(help="Markets of a stratum at each share, e.g. 2,1,1,1,1; by default one each."),
]
Persons = Annotated[
    Path | None, typer.Argument(metavar="PERSONS", help="One row per eligible person.")
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(name="power")(power)
    app.command(name="assign")(assign)
    app.command(name="late-arrivals")(late_arrivals)
    app.command(name="verify-assignment")(verify_assignment)


def power(
    shares: Shares = "0,0.25,0.5,0.75",
    per_stratum: PerStratum = "",
    n_markets: Annotated[int, typer.Option(help="Number of markets.", min=2)] = 100,
    size: Annotated[int, typer.Option(help="Eligible persons observed in each.", min=1)] = 90,
    markets: Annotated[
        Path | None,
        typer.Option(help="Instead of both: a file of markets with a column 'size', one row each."),
    ] = None,
    share: Annotated[
        float, typer.Option(help="Share of persons with the outcome when nobody is helped.")
    ] = 0.2,
    icc: Annotated[float, typer.Option(help="Part of its variance that markets share.")] = 0.02,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")] = False,
) -> None:
    """Say the smallest effects that an experiment would detect, four times out of five."""
    from whatworks.planning import (
        Assumed,
        detectable,
    )
    from whatworks.planning.inputs import read_sizes

    sizes = (size,) * n_markets if markets is None else read_sizes(markets, "size")
    assumed = Assumed.of_share(share, sizes=sizes, icc=icc)
    found = detectable(_trial(shares, per_stratum), assumed).round(2)
    if as_json:
        typer.echo(json.dumps(found.to_dict("records"), indent=1))
    else:
        out.print(found.to_string(index=False), markup=False, highlight=False, soft_wrap=True)


def assign(
    markets: Annotated[Path, typer.Argument(metavar="MARKETS", help="One row per market.")],
    persons: Persons = None,
    folder: Annotated[
        Path, typer.Option("--out", "-o", help="New folder, written whole or not at all.")
    ] = Path("out/assignment"),
    shares: Shares = "0,0.25,0.5,0.75,1",
    per_stratum: PerStratum = "",
    similar_on: Annotated[
        str, typer.Option(help="Columns, numbers, on which markets of a stratum are alike.")
    ] = "",
    within: Annotated[
        str, typer.Option(help="Columns whose values markets of a stratum share.")
    ] = "",
    seed: Annotated[
        str | None, typer.Option(help="Drawn by the system where none is given.")
    ] = None,
) -> None:
    """Draw shares among similar markets, then persons within each, and write the audit trail.

    Columns are named market and person_id.
    """
    from whatworks import planning
    from whatworks.planning.inputs import read_file

    drawn = planning.assign(
        read_file(markets),
        None if persons is None else read_file(persons),
        trial=_trial(shares, per_stratum),
        rules=planning.Rules(similar_on=_names(similar_on), within=_names(within)),
        seed=seed,
    )
    _line(f"Assignment: {drawn.save(folder)}")
    _line(f"Digest to publish: {drawn.audit['digest']}")


def late_arrivals(
    assignment: Annotated[Path, typer.Argument(help="Folder of the assignment, with its seed.")],
    persons: Annotated[
        Path, typer.Argument(metavar="PERSONS", help="Those who arrived since, one row each.")
    ],
    folder: Annotated[Path, typer.Option("--out", "-o", help="New folder.")] = Path("out/late"),
) -> None:
    """Assign those who arrived after the draw, by the rule that was fixed with it."""
    from whatworks import planning
    from whatworks.planning.inputs import read_file

    drawn = planning.late_arrivals(assignment, read_file(persons))
    _line(f"Assignment: {drawn.save(folder)}")


def verify_assignment(
    folder: Annotated[Path, typer.Argument(help="Folder of the assignment.")],
    markets: Annotated[
        Path | None, typer.Argument(metavar="MARKETS", help="As given to assign.")
    ] = None,
    persons: Persons = None,
    late: Annotated[
        Path | None, typer.Option(help="Of late arrivals: the persons given, and no other file.")
    ] = None,
) -> None:
    """Replay a draw from its inputs and seed, and say what holds."""
    from whatworks import planning
    from whatworks.planning.inputs import read_file

    people = persons if late is None else late
    told = planning.verify_assignment(
        folder,
        None if markets is None else read_file(markets),
        None if people is None else read_file(people),
    )
    for row in told.checks.itertuples(index=False):
        _line(f"{'=' if row.holds else '×'} {row.what}")
    told.raise_if_changed()


def _trial(shares: str, per_stratum: str) -> Trial:
    from whatworks.planning import (
        Trial,
    )

    counts = _numbers(per_stratum, "--per-stratum")
    if any(count != int(count) for count in counts):
        raise _not_numbers("--per-stratum", per_stratum)
    return Trial(
        shares=_numbers(shares, "--shares"), per_stratum=tuple(int(count) for count in counts)
    )


def _numbers(text: str, what: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in _names(text))
    except ValueError:
        raise _not_numbers(what, text) from None


def _not_numbers(what: str, text: str) -> OptionError:
    return OptionError(
        what=what,
        needed="numbers with commas between",
        found=repr(text),
        remedy="write for instance 0,0.25,0.5 for shares, 2,1,1 for counts",
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _line(text: str) -> None:
    out.print(text, soft_wrap=True, markup=False, highlight=False)
