"""The folder a test works in and the engine it reads with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ibis.backends.duckdb import Backend

from unit.sources.folder import Folder
from whatworks.sources import connect


@pytest.fixture(scope="session")
def engine() -> Backend:
    return connect(memory_limit="500MB", threads=1)


@pytest.fixture
def folder(tmp_path: Path, engine: Backend) -> Iterator[Folder]:
    place = Folder(tmp_path, engine)
    yield place
    for name in place.tables():
        engine.drop_table(name, force=True)
