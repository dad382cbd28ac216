"""The committed samples as tests read them, and the world whose truth they hold."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from whatworks.months import to_index
from whatworks.sources import Records, connect, read
from whatworks.worlds.producers import Extract, extract

SAMPLES = Path(__file__).parents[2] / "data" / "synthetic" / "sources"
FIRST_MONTH = to_index("2021-01")
"""Month 0 of the simulated world."""


@cache
def world() -> Extract:
    """The world of the committed samples."""
    return extract()


@cache
def records(name: str) -> Records:
    """What the template reads in its own sample."""
    return read(
        SAMPLES / name / "sources.toml", connection=connect(memory_limit="500MB", threads=1)
    )


def dropped(read_: Records, step: str) -> dict[str, int]:
    """Rows left behind by a source, per reason."""
    found: dict[str, int] = {}
    for s in read_.ledger.steps:
        if s.name == step and s.unit == "rows":
            for reason, count in s.dropped:
                found[reason] = found.get(reason, 0) + count
    return found


def listed(table: object, *columns: str) -> list[tuple[object, ...]]:
    """Rows of an ibis table, sorted; days as ISO text, nothing as None."""
    frame = table.select(*columns).execute()  # type: ignore[attr-defined] # an ibis table
    frame = frame.astype(object).where(frame.notna(), None)
    cells = [
        tuple(v.strftime("%Y-%m-%d") if hasattr(v, "strftime") else v for v in row)
        for row in frame.itertuples(index=False)
    ]
    return sorted(cells, key=repr)


def episodes(name: str, *, source: str | None = None) -> list[tuple[object, ...]]:
    """``person_id, kind, code, start, end`` of a sample."""
    table = records(name).episodes
    if source is not None:
        table = table.filter(table.source == source)
    return listed(table, "person_id", "kind", "code", "start", "end")


def states(name: str, *, source: str | None = None) -> list[tuple[object, ...]]:
    """``person_id, kind, code, month`` of a sample, months counted from the world's first."""
    table = records(name).states
    if source is not None:
        table = table.filter(table.source == source)
    found = listed(table, "person_id", "kind", "code", "month")
    return sorted(((p, k, c, m - FIRST_MONTH) for p, k, c, m in found), key=repr)  # type: ignore[operator] # a month


@cache
def in_panel(name: str) -> dict[str, int]:
    """Number in the panel of each person of a sample: their rank by identifier."""
    known = sorted(str(p) for (p,) in listed(records(name).persons, "person_id"))
    return {person: number for number, person in enumerate(known)}


def raw_lines(name: str, file: str) -> list[list[str]]:
    """Fields of a raw file without its header, for counting by hand."""
    text = (SAMPLES / name / file).read_text("utf-8")
    return [line.split(";") for line in text.splitlines()[1:]]
