"""A panel as files: the same rows as in the engine, refreshed where something changed, whole or absent."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
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
import sys
from pathlib import Path
from lives import built, lives
made = lives()
print("ready", flush=True)
built(made, Path(sys.argv[1]))
"""


def run_and_kill(folder: Path, after: float | None) -> float:
    """Build in another process, killed after so many seconds; returns how long it ran."""
    command = [sys.executable, "-c", KILLED, str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        begun = time.perf_counter()
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        return time.perf_counter() - begun


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_killed_at_any_moment_and_run_again_gives_the_same_bytes(tmp_path: Path) -> None:
    kills = int(os.environ.get("WHATWORKS_KILLS", "5"))
    rng = random.Random(kills)  # noqa: S311 - moments, not secrets
    whole = run_and_kill(tmp_path / "whole", None)
    expected = content(tmp_path / "whole")
    cut = 0
    for n in range(kills):
        folder = tmp_path / f"cut{n}"
        run_and_kill(folder, rng.uniform(0.02, 1.0) * whole)
        cut += content(folder) != expected
        built(lives(), folder)
        assert content(folder) == expected
    assert cut  # a build that was never cut would show nothing
