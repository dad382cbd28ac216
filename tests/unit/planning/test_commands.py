"""Commands of planning as their users meet them: exit codes, nothing half-written, nobody named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from whatworks.cli import app
from whatworks.errors import WhatworksError


def whatworks(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(3)
    markets = pd.DataFrame(
        {"market": [f"{k:03d}" for k in range(20)], "size": rng.integers(30, 90, 20)}
    )
    markets["tension"] = [f"{x:.2f}".replace(".", ",") for x in rng.lognormal(size=20)]
    persons = pd.DataFrame(
        {
            "person_id": [f"00{k}" for k in range(600)],
            "market": markets["market"].to_numpy()[rng.integers(0, 20, 600)],
        }
    )
    markets.to_csv(tmp_path / "markets.csv", index=False, sep=";")
    persons.to_csv(tmp_path / "persons.csv", index=False)
    return tmp_path / "markets.csv", tmp_path / "persons.csv"


def test_draw_then_verify_then_late(files: tuple[Path, Path], tmp_path: Path) -> None:
    done = whatworks("assign", *files, "--similar-on", "size,tension", "-o", tmp_path / "a")
    assert done.exit_code == 0, done.output
    audit = json.loads((tmp_path / "a" / "audit.json").read_text(encoding="utf-8"))
    assert audit["digest"] in done.output
    assert verified(tmp_path / "a", *files).exit_code == 0
    drawn = pd.read_csv(tmp_path / "a" / "persons.csv", dtype=str)
    assert set(drawn["person_id"]) == set(pd.read_csv(files[1], dtype=str)["person_id"])
    late = pd.DataFrame({"person_id": ["x1", "x2"], "market": ["001", "002"]})
    late.to_csv(tmp_path / "late.csv", index=False)
    done = whatworks("late-arrivals", tmp_path / "a", tmp_path / "late.csv", "-o", tmp_path / "b")
    assert done.exit_code == 0, done.output
    done = whatworks("verify-assignment", tmp_path / "b", "--late", tmp_path / "late.csv")
    assert done.exit_code == 0, done.output


def verified(folder: Path, *files: Path) -> Result:
    return whatworks("verify-assignment", folder, *files)


def test_what_was_changed_ends_in_a_refusal(files: tuple[Path, Path], tmp_path: Path) -> None:
    whatworks("assign", *files, "--shares", "0,0.5", "-o", tmp_path / "a")
    path = tmp_path / "a" / "persons.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",0\n", ",1\n", 1), encoding="utf-8")
    done = verified(tmp_path / "a", *files)
    assert isinstance(done.exception, WhatworksError)
    assert done.exception.exit_code == 3
    assert "× the seed assigns these persons" in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--shares", "none"), "numbers with commas"),
        (("--shares", "0,0.5", "--per-stratum", "1.5,1"), "numbers with commas"),
        (("--similar-on", "nothing"), "'nothing'"),
    ],
)
def test_options_that_cannot_be_read_write_nothing(
    files: tuple[Path, Path], tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = whatworks("assign", *files, *words, "-o", tmp_path / "a")
    assert isinstance(done.exception, WhatworksError)
    assert said in str(done.exception)
    assert not (tmp_path / "a").exists()


def test_power_of_a_file_of_markets(files: tuple[Path, Path]) -> None:
    done = whatworks("power", "--markets", files[0], "--shares", "0,0.5", "--json")
    assert done.exit_code == 0, done.output
    rows = json.loads(done.output)
    assert {row["term"] for row in rows} == {"direct", "spillover", "total", "overall", "net"}
    plain = whatworks("power", "--n-markets", 100, "--size", 50)
    assert "jobs per 100" in plain.output
