"""A panel as files: the same rows as in the engine, refreshed where something changed, whole or absent."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from hand import spell
from lives import PEOPLE, WINDOW, added, built, lives
from whatworks import WhatworksError
from whatworks.panel import build, expand, open_panel
from whatworks.panel.store import MANIFEST, locked
from whatworks.spells import reconcile


def content(folder: Path) -> dict[str, str]:
    """Every file of a folder and the hash of its bytes."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
    }


def written(before: Mapping[str, int], folder: Path) -> set[tuple[str, str]]:
    """(year, block) of the partitions that were written since."""
    now = stamps(folder)
    return {
        (name.split("/")[1], name.split("/")[2][:5])
        for name, stamp in now.items()
        if before.get(name) != stamp
    }


def stamps(folder: Path) -> dict[str, int]:
    return {
        p.relative_to(folder).as_posix(): p.stat().st_mtime_ns
        for p in (folder / "months").rglob("*.parquet")
    }


def test_the_files_hold_what_the_engine_would(tmp_path: Path) -> None:
    made = lives()
    held = expand(reconcile(made), first=WINDOW[0], last=WINDOW[1])
    filed = built(made, tmp_path)
    pd.testing.assert_frame_equal(filed.to_pandas(), held.to_pandas())
    for name in ("states", "attributes", "first", "last", "n_persons", "coverage", "measures",
                 "schemes", "intensities", "units", "ledger", "mapping_hash"):  # fmt: skip
        assert getattr(filed, name) == getattr(held, name), name
    people = [p.persons.order_by("person_id").execute() for p in (filed, held)]
    pd.testing.assert_frame_equal(*people)
    assert filed.geography is not None
    assert filed.geography.communes.count().execute() == 2


def test_partitions_are_years_of_blocks_in_order(tmp_path: Path) -> None:
    built(lives(), tmp_path)
    files = sorted((tmp_path / "months").rglob("*.parquet"))
    assert len(files) == 3 * 5
    for file in files:
        rows = pq.read_table(file, columns=["person_id", "month"]).to_pandas()
        assert rows.equals(rows.sort_values(["person_id", "month"]).reset_index(drop=True))
        assert set(rows["month"] // 12) == {int(file.parent.name)}
        assert set(rows["person_id"] // 5) == {int(file.name[:5])}


def test_two_builds_give_the_same_bytes_whatever_the_order_of_rows(tmp_path: Path) -> None:
    made = lives()
    built(made, tmp_path / "one")
    shuffled = replace(
        made,
        connection=made.connection,
        episodes=made.episodes.order_by(made.episodes["end"].desc()),
        states=made.states.order_by(made.states["month"].desc()),
        persons=made.persons.order_by(made.persons["person_id"].desc()),
    )
    built(shuffled, tmp_path / "two")
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_nothing_is_written_again_when_nothing_changed(tmp_path: Path) -> None:
    built(lives(), tmp_path)
    before = stamps(tmp_path)
    built(lives(), tmp_path)
    assert written(before, tmp_path) == set()


def test_a_change_touches_its_block_and_its_years(tmp_path: Path) -> None:
    built(lives(), tmp_path / "panel")
    before = stamps(tmp_path / "panel")
    changed = added(lives(), spell("p08", "benefit", "rsa", "2020-11-03", "2021-02-01"))
    built(changed, tmp_path / "panel")
    assert written(before, tmp_path / "panel") == {("2020", "00001"), ("2021", "00001")}
    built(changed, tmp_path / "fresh")
    assert content(tmp_path / "panel") == content(tmp_path / "fresh")


def test_a_month_more_touches_the_last_year_only(tmp_path: Path) -> None:
    later = ("2019-01", "2021-07")
    running = added(lives(), spell("p07", "benefit", "rsa", "2019-11-03", None))
    built(running, tmp_path)
    before = stamps(tmp_path)
    running = added(lives(window=later), spell("p07", "benefit", "rsa", "2019-11-03", None))
    built(running, tmp_path, last=later[1])
    assert written(before, tmp_path) == {("2021", f"{block:05d}") for block in range(5)}


def test_newcomers_move_nobody(tmp_path: Path) -> None:
    first = built(lives(PEOPLE[1:]), tmp_path).to_pandas()
    before = stamps(tmp_path)
    second = built(lives(PEOPLE), tmp_path).to_pandas()  # p00 sorts before everyone
    old = second[second["person_id"] < 22].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, old)
    assert {block for _, block in written(before, tmp_path)} == {"00004"}


def test_a_person_who_objects_leaves_no_trace(tmp_path: Path) -> None:
    built(lives(), tmp_path / "panel")
    built(lives(PEOPLE[:7] + PEOPLE[8:]), tmp_path / "panel")
    built(lives(PEOPLE[:7] + PEOPLE[8:]), tmp_path / "fresh")
    assert content(tmp_path / "panel") == content(tmp_path / "fresh")
    register = pq.read_table(tmp_path / "panel" / "register.parquet")
    assert "p07" not in register["person_id"].to_pylist()
    assert register["panel number"].to_pylist() == list(range(22))


def test_the_folder_can_be_opened_alone(tmp_path: Path) -> None:
    made = built(lives(), tmp_path).to_pandas()
    pd.testing.assert_frame_equal(open_panel(tmp_path).to_pandas(), made)


def test_a_folder_that_is_no_whole_panel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WhatworksError, match="no manifest"):
        open_panel(tmp_path)
    built(lives(), tmp_path)
    next((tmp_path / "months").rglob("*.parquet")).unlink()
    with pytest.raises(WhatworksError, match="1 files of its manifest missing or cut"):
        open_panel(tmp_path)
    text = json.loads((tmp_path / MANIFEST).read_text())
    (tmp_path / MANIFEST).write_text(json.dumps({**text, "format": 0}))
    with pytest.raises(WhatworksError, match="format 0"):
        open_panel(tmp_path)
    built(lives(), tmp_path)
    assert open_panel(tmp_path).n_persons == 23


def test_two_builds_at_once_are_refused(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(WhatworksError, match="another build"):
        built(lives(), tmp_path)


@pytest.mark.parametrize(("option", "value"), [("block_persons", 0), ("last", "2018-12")])
def test_impossible_options_are_named(tmp_path: Path, option: str, value: object) -> None:
    given = {"first": WINDOW[0], "last": WINDOW[1], option: value}
    with pytest.raises(WhatworksError, match=r"block_persons|window"):
        build(lives(), tmp_path, **given)  # type: ignore[arg-type]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WhatworksError, match="a folder that can be written"):
        built(lives(), tmp_path / "file")


KILLED = """
import os, signal, sys, threading, time
from pathlib import Path
import pyarrow.parquet as pq
from lives import built, lives
import whatworks.panel.build

made, place, wait = lives(), int(sys.argv[2]), float(sys.argv[3])
seen = 0

def kill():
    time.sleep(wait)
    os.kill(os.getpid(), signal.SIGKILL)

def counted(act):
    def point(*args, **named):
        global seen
        seen += 1
        if seen == place:
            threading.Thread(target=kill).start() if wait else kill()
        return act(*args, **named)
    return point

pq.ParquetWriter.write_table = counted(pq.ParquetWriter.write_table)
pq.ParquetWriter.close = counted(pq.ParquetWriter.close)
os.fsync = counted(os.fsync)
Path.replace = counted(Path.replace)
Path.unlink = counted(Path.unlink)
module = sys.modules["whatworks.panel.build"]
module.sweep = counted(module.sweep)
module.write_manifest = counted(module.write_manifest)
built(made, Path(sys.argv[1]))
print(seen)
"""
"""Builds, and is killed so many seconds after it comes to some place of its writing."""


def run_and_kill(folder: Path, place: int, wait: float) -> int:
    """Build in another process; returns the places it came by, 0 when it was killed."""
    command = [sys.executable, "-c", KILLED, str(folder), str(place), str(wait)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return int(done.stdout or 0)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("fresh", [True, False], ids=["first build", "refresh"])
def test_killed_at_any_moment_and_run_again_gives_the_same_bytes(
    tmp_path: Path, fresh: bool
) -> None:
    """Moments are counted in acts of writing, so that a busy machine kills no later than a free one."""
    kills = int(os.environ.get("WHATWORKS_KILLS", "4")) // 2
    rng = random.Random(kills)  # noqa: S311 - moments, not secrets
    old, later = lives(PEOPLE[1:12]), lives()
    if not fresh:
        built(old, tmp_path / "whole")
    places = run_and_kill(tmp_path / "whole", 0, 0)
    expected = content(tmp_path / "whole")
    assert places > 60
    for n in range(kills):
        folder = tmp_path / f"cut{n}"
        if not fresh:
            built(old, folder)
            before = open_panel(folder).to_pandas()
        wait = rng.choice([0.0, rng.uniform(0, 0.02)])
        cut = run_and_kill(folder, rng.randint(1, places - 1), wait) == 0
        assert cut or wait
        # Readers find a whole panel, the old one or the new one, or none yet.
        if (folder / MANIFEST).exists():
            read = open_panel(folder).to_pandas()
            assert read.equals(open_panel(tmp_path / "whole").to_pandas()) or (
                not fresh and read.equals(before)
            )
        else:
            assert fresh
        built(later, folder)
        assert content(folder) == expected
