"""One raw file, read in its format and no further: the table of text, or what is wrong with it."""

from __future__ import annotations

import tempfile
import tomllib
from pathlib import Path

from unit.sources.folder import Folder
from whatworks.sources.formats import read_file
from whatworks.sources.formats.table import FINGERPRINT
from whatworks.sources.mapping import Source
from whatworks.sources.problems import Problem
from whatworks.sources.scratch import Scratch

SOURCE = """\
layout = "persons"
files = "unused"
person = {column = "id"}
attributes = {sex = {column = "sex", type = "category"}}
"""
Row = tuple[str, ...]


def taken(
    folder: Folder, file: str, wanted: tuple[str, ...], *, keys: str = "", secrets: Row = ()
) -> tuple[list[Row], list[str], list[Problem]]:
    """Rows in their order, their fingerprints, and problems, sure that these tell no secret."""
    source = Source.model_validate(tomllib.loads(SOURCE + keys))
    with (
        tempfile.TemporaryDirectory() as private,
        Scratch(folder.connection) as scratch,
    ):
        raw, problems = read_file(
            folder.path / file,
            source,
            name=file,
            columns=lambda *_: {name: name for name in wanted},
            number=3,
            spool=Path(private) / "spool",
            scratch=scratch,
        )
        assert (raw is None) == bool(problems)
        for secret in secrets:
            assert not any(secret in str(problem) for problem in problems)
        if raw is None:
            assert folder_is_empty(private)
            return [], [], problems
        frame = raw.table.execute()
        assert len(frame) == raw.rows
        assert set(frame["file"]) == {3}
        rows = list(frame[list(wanted)].itertuples(index=False, name=None))
        scratch.drop(raw.table)
        assert folder_is_empty(private)
        return rows, list(frame[FINGERPRINT]), []


def folder_is_empty(private: str) -> bool:
    """Whether no copy of rows is left, a copy of text apart, which the next file overwrites."""
    return not [file for file in Path(private).iterdir() if file.name not in ("spool", "link")]


def refusal(
    folder: Folder, file: str, wanted: tuple[str, ...], *, keys: str = "", secrets: Row = ()
) -> str:
    """What is told of a file that is refused, all problems in one text."""
    rows, _, problems = taken(folder, file, wanted, keys=keys, secrets=secrets)
    assert not rows
    assert problems
    return "\n".join(
        f"{p.what}: needed {p.needed}; found {p.found}. To do: {p.remedy}." for p in problems
    )
