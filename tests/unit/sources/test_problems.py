"""Errors of the engine, whose text can quote a row, leave the room without it."""

from __future__ import annotations

import duckdb
import pytest

from unit.sources.folder import CONTRACTS, HEADER, PERSON, Folder
from whatworks.errors import SourceRefused
from whatworks.sources import connect, read
from whatworks.sources.problems import ProblemsError, reworded


def test_text_of_the_engine_is_withheld() -> None:
    with pytest.raises(ProblemsError) as caught, reworded("contrats.csv"):
        raise duckdb.ConversionException(f"could not convert {PERSON}")
    (problem,) = caught.value.problems
    assert problem.what == "contrats.csv"
    assert "ConversionException" in problem.found
    assert PERSON not in repr(problem)
    assert caught.value.__suppress_context__


def test_memory_and_disk_both_too_small(folder: Folder) -> None:
    lines = [f"{i:07d};n{i};01/02/2021;;01\n" for i in range(200_000)]
    folder.file("contrats.csv", HEADER + "".join(lines))
    folder.file("sources.toml", f"schema = 1\n{CONTRACTS}")
    small = connect(memory_limit="20MB", threads=1)
    small.raw_sql("SET max_temp_directory_size = '1MB'")
    with pytest.raises(SourceRefused, match=r"found the limit reached\. To do: raise memory_limit"):
        read(folder.path / "sources.toml", connection=small)
