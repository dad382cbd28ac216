"""Whatever the mixture of sound and faulty rows, each is accounted for and the right ones stay."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ibis.backends.duckdb import Backend

from unit.sources.folder import rows, states
from whatworks.errors import SourceRefused
from whatworks.sources import read

MAPPING = """\
schema = 1
[sources.stays]
layout = "spells"
files = "stays*.csv"
kind = "employment"
coverage = ["2021-01", "2022-12"]
person = {column = "id"}
start = {column = "from"}
end = {column = "to", sentinel = ["2099-12-31"]}
code = {column = "what", values = {a = "alpha", b = "beta"}, none = ["-"], unmapped = "count"}
end_before_start = "count"
duplicates = "count"
strangers = "count"
"""
PEOPLE = """\
[sources.people]
layout = "persons"
files = "people.csv"
person = {column = "id"}
attributes.market = {column = "zone", type = "category"}
"""
Row = tuple[str, str, str, str, str]

days = st.integers(0, 40).map(lambda n: date(2021, 1, 1) + timedelta(days=n))
text = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=4)
row = st.tuples(
    st.sampled_from(["1", "02", "x y", 'q"', "é;"]),
    text,
    days.map(str),
    days.map(str) | st.sampled_from(["", "2099-12-31"]),
    st.sampled_from(["a", "b", "-", "?"]),
)


def csv(header: str, lines: list[tuple[str, ...]]) -> bytes:
    quoted = ["\n".join(";".join('"' + c.replace('"', '""') + '"' for c in r) for r in lines)]
    return "\n".join([header, *quoted, ""]).encode()


def fate(line: Row, *, known: set[str] | None) -> str:
    person, _, start, end, code = line
    if code == "-":
        return "code_none"
    if code == "?":
        return "unmapped_code"
    if end not in ("", "2099-12-31") and end < start:
        return "end_before_start"
    return "kept" if known is None or person in known else "person_unknown"


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    files=st.lists(st.lists(row, min_size=1, max_size=12), min_size=1, max_size=3),
    known=st.none() | st.sets(st.sampled_from(["1", "02", "x y", "nobody"]), min_size=1),
)
def test_every_row_is_accounted_for(
    tmp_path: Path, engine: Backend, files: list[list[Row]], known: set[str] | None
) -> None:
    for old in tmp_path.iterdir():
        old.unlink()
    for number, lines in enumerate(files):
        (tmp_path / f"stays{number}.csv").write_bytes(csv("id;note;from;to;what", lines))
    if known is not None:
        (tmp_path / "people.csv").write_bytes(csv("id;zone", [(p, "Z") for p in sorted(known)]))
    mapping = tmp_path / "sources.toml"
    mapping.write_text(MAPPING + (PEOPLE if known is not None else ""), encoding="utf-8")

    delivered = [line for lines in files for line in lines]
    once = list(dict.fromkeys(delivered))
    fates = Counter(fate(line, known=known) for line in once)
    fates["duplicate_row"] = len(delivered) - len(once)
    if not fates["kept"]:
        with pytest.raises(SourceRefused, match="source 'stays'"):
            read(mapping, connection=engine)
        return
    records = read(mapping, connection=engine)
    step = records.ledger.steps[0]
    assert (step.name, step.before, step.after) == ("stays", len(delivered), fates.pop("kept", 0))
    assert dict(step.dropped) == {reason: n for reason, n in fates.items() if n}
    expected = [
        ("stays", p, "employment", {"a": "alpha", "b": "beta"}[code], start, end)
        for p, _, start, raw, code in once
        for end in [None if raw in ("", "2099-12-31") else raw]
        if fate((p, "", start, raw, code), known=known) == "kept"
    ]
    assert states(records.episodes) == sorted(expected, key=repr)
    people = {p for p, *_ in delivered} if known is None else known
    assert {row[0] for row in rows(records.persons)} == people
    for table in (records.persons, records.episodes, records.states):
        engine.drop_table(table.op().name)


CHOOSY = """\
schema = 1
[objections]
files = "non.csv"
column = "id"
strip = "spaces_and_zeros"
[sources.stays]
layout = "spells"
files = "stays*.csv"
kind = "employment"
coverage = ["2021-01", "2022-12"]
person = {column = "id", strip = "spaces_and_zeros", placeholders = ["99", ""]}
start = {column = "from"}
end = {column = "to"}
code = {constant = "job"}
duplicates = "count"
vintage = {from_name = 'stays(\\d{6})', format = "%Y%m", supersedes = "all"}
keep = {by = ["contract"], order = "rank", type = "number"}
[[sources.stays.where]]
column = "kind"
one_of = ["a"]
"""
Choosy = tuple[str, str, str, str, str]

choosy_row = st.tuples(
    st.sampled_from(["1", "01", "2", " 3", "99", "0", "4"]),
    st.sampled_from(["2021-01-05", "2021-02-05"]),
    st.sampled_from(["x", "y", "z"]),
    st.sampled_from(["", "1", "2", "10"]),
    st.sampled_from(["a", "a", "a", "b"]),
)


def choose(files: list[list[Choosy]], *, objecting: set[str]) -> tuple[Counter[str], set[Choosy]]:
    """Fate of every row, and the rows kept, one by one as the reference says."""
    fates: Counter[str] = Counter()
    sound: list[Choosy] = []
    for number, lines in enumerate(files):
        for line in lines:
            person = line[0].strip().lstrip("0")
            if person in objecting:
                fates["objected"] += 1
            elif number < len(files) - 1:
                fates["superseded_vintage"] += 1
            elif line[4] != "a":
                fates["filtered"] += 1
            elif person in ("99", ""):
                fates["placeholder_person"] += 1
            else:
                sound.append(line)
    once = list(dict.fromkeys(sound))
    fates["duplicate_row"] = len(sound) - len(once)
    best = {c: max((r for r in once if r[2] == c), key=_rank)[3] for c in {r[2] for r in once}}
    fates["superseded_row"] = len(once) - len(best)
    return fates, {r for r in once if r[3] == best[r[2]]}


def _rank(line: Choosy) -> float:
    return float(line[3] or "-inf")


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    files=st.lists(st.lists(choosy_row, min_size=1, max_size=15), min_size=1, max_size=2),
    objecting=st.sets(st.sampled_from(["1", "2", "3", "nobody"]), min_size=1),
)
def test_every_row_that_does_not_count_is_accounted_for(
    tmp_path: Path, engine: Backend, files: list[list[Choosy]], objecting: set[str]
) -> None:
    for old in tmp_path.iterdir():
        old.unlink()
    for number, lines in enumerate(files):
        text = csv("id;from;contract;rank;kind;to", [(*line, "") for line in lines])
        (tmp_path / f"stays20210{number + 1}.csv").write_bytes(text)
    (tmp_path / "non.csv").write_bytes(csv("id", [(f"0{p}",) for p in sorted(objecting)]))
    mapping = tmp_path / "sources.toml"
    mapping.write_text(CHOOSY, encoding="utf-8")

    fates, candidates = choose(files, objecting=objecting)
    contracts = {line[2] for line in candidates}
    if not contracts:
        with pytest.raises(SourceRefused, match="source 'stays'"):
            read(mapping, connection=engine)
        return
    records = read(mapping, connection=engine)
    (step,) = [s for s in records.ledger.steps if s.name == "stays"]
    assert (step.before, step.after) == (sum(map(len, files)), len(contracts))
    assert dict(step.dropped) == {reason: n for reason, n in fates.items() if n}
    kept = {(row[1], row[4]) for row in states(records.episodes)}
    assert kept <= {(line[0].strip().lstrip("0"), line[1]) for line in candidates}
    for table in (records.persons, records.episodes, records.states):
        engine.drop_table(table.op().name)
