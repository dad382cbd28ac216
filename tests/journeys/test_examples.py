"""Examples run as a reader runs them: plain ``python``, warnings as errors."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def output_of(name: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / name)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,  # under five seconds on an idle machine; tests share theirs
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def row(text: str, label: str) -> list[float]:
    """Numbers of the line that begins with a label."""
    line = next(line for line in text.splitlines() if line.strip().startswith(label))
    numbers = re.findall(r"[-+]?\d[\d,]*\.?\d*", line.strip().removeprefix(label))
    return [float(n.replace(",", "")) for n in numbers]


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> str:
    return output_of("ordinary_table.py", tmp_path_factory.mktemp("ordinary"))


@pytest.fixture(scope="module")
def saturation(tmp_path_factory: pytest.TempPathFactory) -> str:
    return output_of("saturation.py", tmp_path_factory.mktemp("saturation"))


def test_every_example_is_tested() -> None:
    assert [path.name for path in EXAMPLES] == ["ordinary_table.py", "saturation.py"]


def test_ordinary_table_prints_the_published_numbers(ordinary: str) -> None:
    assert row(ordinary, "the experiment")[0] == 1794
    assert row(ordinary, "trained against survey, as they come")[0] == -8498


def test_ordinary_table_matches_nearer_to_the_experiment_and_claims_nothing(ordinary: str) -> None:
    matched = row(ordinary, "trained against survey, matched")[0]
    assert abs(matched - 1794) < abs(-8498 - 1794)
    assert "not_established" in ordinary


def test_saturation_puts_estimates_beside_the_truth(saturation: str) -> None:
    rows = re.findall(r"^ *[\d.]+ +(?:direct|spillover|total) +(.*)$", saturation, re.MULTILINE)
    inside = [low <= truth <= high for _, low, high, truth in (map(float, r.split()) for r in rows)]
    assert len(inside) == 10
    assert sum(inside) >= 8


def test_comparing_neighbours_counts_what_they_lost_as_a_gain(saturation: str) -> None:
    direct = row(saturation, "the helped against their neighbours")[0]
    lost = row(saturation, "the neighbours against markets left alone")[0]
    total = row(saturation, "the helped against markets left alone")[0]
    assert lost < 0 < total < direct
    assert total == pytest.approx(direct + lost, abs=0.11)
