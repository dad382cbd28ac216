"""A panel's folder under bad conditions: full disks, damage, other builds, strange names."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lives import PEOPLE, WINDOW, built, lives
from unit.panel.test_build import content, stamps, written
from whatworks import WhatworksError
from whatworks.errors import UsageError
from whatworks.panel import build, open_panel, store
from whatworks.panel.store import MANIFEST, REGISTER, locked

SQUEEZED = """
import resource, sys
from pathlib import Path
from lives import built, lives
from whatworks import WhatworksError
made = lives()
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    built(made, Path(sys.argv[1]))
except WhatworksError as error:
    assert error.__context__ is None and error.__cause__ is None
    print(error)
"""


def squeezed(folder: Path, most: int) -> str:
    """Build in a process whose files cannot grow beyond a size; returns the error."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", SQUEEZED, str(folder), str(most)]
    done = subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True, timeout=200
    )
    return done.stdout


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "panel"
    built(lives(), folder)
    return folder


@pytest.fixture
def panel(whole: Path, tmp_path: Path) -> Path:
    """A panel of one's own."""
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def partition(folder: Path) -> Path:
    return sorted((folder / "months").rglob("*.parquet"))[3]


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
@pytest.mark.parametrize("most", [100, 1_500, 6_000], ids=["register", "partition", "manifest"])
def test_a_full_disk_is_told_and_leaves_nothing_half_written(tmp_path: Path, most: int) -> None:
    folder = tmp_path / "panel"
    assert "found file too large" in squeezed(folder, most)
    assert not (folder / MANIFEST).exists()
    assert not [p for p in folder.rglob("*") if ".part" in p.name]
    built(lives(), folder)
    built(lives(), tmp_path / "fresh")
    assert content(folder) == content(tmp_path / "fresh")


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
def test_a_full_disk_leaves_the_panel_that_stood(tmp_path: Path) -> None:
    built(lives(PEOPLE[:9]), tmp_path)
    before = open_panel(tmp_path).to_pandas()
    assert "found file too large" in squeezed(tmp_path, 6_000)
    assert open_panel(tmp_path).to_pandas().equals(before)


@pytest.mark.skipif(sys.platform == "win32", reason="no modes")
def test_rows_are_their_owner_s(tmp_path: Path) -> None:
    built(lives(), tmp_path / "new")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    (tmp_path / "shared").mkdir(mode=0o755)
    built(lives(), tmp_path / "shared")
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o755  # as it was given
    assert stat.S_IMODE((tmp_path / "shared" / REGISTER).stat().st_mode) == 0o600


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0x10
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut, empty])
def test_a_cut_partition_is_seen_when_the_panel_is_opened(
    panel: Path, damage: Callable[[Path], None]
) -> None:
    damage(partition(panel))
    with pytest.raises(UsageError, match="1 files of its manifest missing or cut"):
        open_panel(panel)


@pytest.mark.parametrize("damage", [cut, empty, flip])
def test_a_damaged_partition_is_written_again_and_no_other(
    panel: Path, damage: Callable[[Path], None]
) -> None:
    expected, before, path = content(panel), stamps(panel), partition(panel)
    damage(path)
    built(lives(), panel)
    assert content(panel) == expected
    assert written(before, panel) == {(path.parent.name, path.name[:5])}


def test_a_damaged_partition_of_a_build_that_was_cut_is_written_again(panel: Path) -> None:
    expected = content(panel)
    (panel / MANIFEST).unlink()
    cut(partition(panel))
    built(lives(), panel)
    assert content(panel) == expected


@pytest.mark.parametrize("side", ["persons", "communes", "tightness"])
def test_a_damaged_table_beside_is_written_again(panel: Path, side: str) -> None:
    expected = content(panel)
    (path,) = (panel / "beside").glob(f"{side}-*")
    flip(path)
    built(lives(), panel)
    assert content(panel) == expected


def without(*keys: str) -> Callable[[str], str]:
    def changed(text: str) -> str:
        told = json.loads(text)
        return json.dumps({key: value for key, value in told.items() if key not in keys})

    return changed


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:200],
        lambda _: "",
        lambda _: "[]",
        lambda _: '{"format": 1}',
        lambda _: "[" * 100_000,
        lambda text: text.replace('"partitions"', '"portions"'),
        without("marks"),
        without("coverage"),
        without("states", "ledger"),
        lambda text: text.replace('"bytes"', '"octets"'),
        lambda text: text.replace('"n_persons": 23', '"n_persons": "many"'),
    ],
)
def test_a_damaged_manifest_is_told(panel: Path, change: Callable[[str], str]) -> None:
    manifest = panel / MANIFEST
    manifest.write_text(change(manifest.read_text()))
    with pytest.raises(UsageError, match="needed a folder written by build"):
        open_panel(panel)


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1, "marks": {"a": 3}, "partitions": 1}'])
def test_a_build_mends_a_damaged_manifest(panel: Path, text: str) -> None:
    expected = content(panel)
    (panel / MANIFEST).write_text(text)
    built(lives(), panel)
    assert content(panel) == expected


def test_a_damaged_register_is_told(panel: Path) -> None:
    register = panel / REGISTER
    whole = register.read_bytes()
    for damaged in (whole[:-9], b"", whole[:4] + bytes(len(whole) - 8) + whole[-4:]):
        register.write_bytes(damaged)
        with pytest.raises(UsageError, match="needed the register") as caught:
            built(lives(), panel)
        assert caught.value.__context__ is None
        assert not [name for name in PEOPLE if name in str(caught.value)]
    pq.write_table(pa.table({"person_id": ["p01"], "number": [1]}), register)
    with pytest.raises(UsageError, match="found other columns"):
        built(lives(), panel)
    assert open_panel(panel).n_persons == 23  # what stands is not touched
    register.unlink()
    built(lives(), panel)
    assert register.read_bytes() == whole


def test_opened_while_a_build_replaces_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that holds the old manifest finds its files gone: it reads the new one."""
    built(lives(PEOPLE[:9]), tmp_path)
    old = json.loads((tmp_path / MANIFEST).read_text())
    built(lives(), tmp_path)
    manifests = iter([old])
    read = store._manifest
    monkeypatch.setattr(store, "_manifest", lambda folder: next(manifests, None) or read(folder))
    assert open_panel(tmp_path).n_persons == 23


@pytest.mark.parametrize("other", ["block", "window", "persons"])
def test_a_panel_of_other_options_in_the_folder_gives_way(tmp_path: Path, other: str) -> None:
    people = tuple(f"q{p[1:]}" for p in PEOPLE) if other == "persons" else PEOPLE
    given = {"first": "2019-06", "last": "2020-02"} if other == "window" else {}
    window = {"first": WINDOW[0], "last": WINDOW[1], **given}
    build(lives(people), tmp_path / "panel", **window, block_persons=3 if other == "block" else 5)
    built(lives(), tmp_path / "panel")
    built(lives(), tmp_path / "fresh")
    assert content(tmp_path / "panel") == content(tmp_path / "fresh")


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    theirs = ["months/notes.parquet", "beside/mine.parquet", "draft.part", "months/2021/x.csv.part"]
    for name in theirs:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"mine")
    built(lives(), tmp_path)
    assert [(tmp_path / name).read_bytes() for name in theirs] == [b"mine"] * 4
    assert open_panel(tmp_path).n_persons == 23


@pytest.mark.parametrize("name", ["pan[el]*", "l'été; drop", 'qu"ote', "a b%20{c}"])
def test_any_name_of_folder(tmp_path: Path, name: str) -> None:
    expected = built(lives(), tmp_path / "plain").to_pandas()
    assert built(lives(), tmp_path / name).to_pandas().equals(expected)
    assert built(lives(), tmp_path / name).to_pandas().equals(expected)  # its register is read too


def test_a_file_system_without_locks_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(store, "hold", no_locks)
    with pytest.raises(WhatworksError, match="knows no locks"), locked(tmp_path):
        pass
