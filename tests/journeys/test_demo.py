"""The main job, run as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "report"
    command = [sys.executable, "-m", "whatworks.cli", "demo", "--out", str(folder)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.strip() == f"Report: {folder / 'index.html'}"
    return folder


def test_three_parts_and_their_pages(demo: Path) -> None:
    page = (demo / "index.html").read_text(encoding="utf-8")
    for words in ("Parcours réels", "Étude témoin", "Département simulé", "non établi"):
        assert words in page
    assert len([p for p in demo.iterdir() if (p / "index.html").is_file()]) == 8


def test_estimates_are_set_against_the_truth(demo: Path) -> None:
    covered = []
    for name in ("job-search", "aided-contract", "work-integration", "social-participation",
                 "access-to-rights", "intensive-integrated"):  # fmt: skip
        table = pd.read_csv(
            demo / name / "benchmarks.csv", sep=";", decimal=",", encoding="utf-8-sig"
        )
        assert set(table["benchmark"]) == {"truth"}
        covered += [value == "yes" for value in table["covered"]]
    assert len(covered) == 24
    # Twenty-four intervals of 95 %, correlated within a type: two misses at most are to be expected.
    assert sum(covered) >= 21


def test_json_is_json_and_the_manifest_is_true(demo: Path) -> None:
    manifest = json.loads((demo / "manifest.json").read_text(encoding="utf-8"))
    assert manifest
    for path in demo.rglob("*.json"):
        json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
