"""Folders for what memory does not hold: private, removed, and swept when their process was killed."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from whatworks.sources import connect
from whatworks.sources.private import PREFIX, PrivateFolder, sweep

KILLED = """
import sys
from pathlib import Path
from whatworks.sources import connect
from whatworks.sources.private import PrivateFolder
held = PrivateFolder(Path(sys.argv[1])), connect(directory=Path(sys.argv[1]))
(held[0].path / "utf8.csv").write_text("nir;nom")
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_folder_is_its_owner_s_and_goes_with_all_it_holds(tmp_path: Path) -> None:
    with PrivateFolder(tmp_path) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "utf8.csv").write_text("nir;nom")
    assert list(tmp_path.iterdir()) == []


def test_it_goes_when_what_is_done_in_it_fails(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), PrivateFolder(tmp_path):
        raise ValueError("no")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_swept_by_the_next_and_not_before(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload] # two pipes
        assert process.stdout.readline().strip() == "ready"
        with PrivateFolder(tmp_path):
            assert len(list(tmp_path.iterdir())) == 3  # theirs are in use
        process.send_signal(signal.SIGKILL)
    assert len(list(tmp_path.iterdir())) == 2
    engine = connect(directory=tmp_path)
    (left,) = tmp_path.iterdir()
    assert engine.con.execute("SELECT current_setting('temp_directory')").fetchone() == (str(left),)


def test_nothing_else_is_swept(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "lock").write_text("")
    (tmp_path / f"{PREFIX}link").symlink_to(home)
    (tmp_path / f"{PREFIX}file").write_text("")
    (tmp_path / f"{PREFIX}new").mkdir()  # not locked yet: being made
    before = sorted(os.walk(tmp_path))
    assert sweep(tmp_path) == 0
    assert sorted(os.walk(tmp_path)) == before
