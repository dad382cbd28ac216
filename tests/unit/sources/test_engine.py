"""The engine is bounded, offline, private, and leaves nothing behind."""

from __future__ import annotations

import gc
import stat
from pathlib import Path

import pytest

from whatworks.errors import OptionError
from whatworks.sources import connect


def setting(backend: object, name: str) -> str:
    (value,) = backend.con.execute(f"select current_setting('{name}')").fetchone()  # type: ignore[attr-defined] # a DuckDB backend
    return str(value).lower()


def test_settings(tmp_path: Path) -> None:
    backend = connect(memory_limit="300MB", threads=1, directory=tmp_path)
    assert setting(backend, "memory_limit").startswith("286")  # MiB
    assert setting(backend, "threads") == "1"
    for off in (
        "preserve_insertion_order",
        "autoinstall_known_extensions",
        "autoload_known_extensions",
        "allow_community_extensions",
        "enable_progress_bar",
    ):
        assert setting(backend, off) == "false"
    assert Path(setting(backend, "temp_directory")).parent == Path(str(tmp_path).lower())


def test_spill_directory_is_private_and_goes_with_the_engine(tmp_path: Path) -> None:
    backend = connect(directory=tmp_path)
    (spill,) = tmp_path.iterdir()
    assert stat.S_IMODE(spill.stat().st_mode) == 0o700
    del backend
    gc.collect()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("limit", ["much", "-1GB", "2 apples"])
def test_memory_limit_must_be_a_size(tmp_path: Path, limit: str) -> None:
    with pytest.raises(OptionError, match=r"memory_limit: needed a size such as '500MB'"):
        connect(memory_limit=limit, directory=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_threads_and_directory(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="threads: needed 1 or more; found 0"):
        connect(threads=0)
    with pytest.raises(OptionError, match="directory: needed a directory that can be written"):
        connect(directory=tmp_path / "absent")
