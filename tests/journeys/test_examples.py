"""Examples run as a reader runs them: plain ``python``, warnings as errors."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
WARNINGS = ("-W", "error", "-W", "ignore:The 'future.infer_string' option is deprecated")
"""All are errors but one: what ibis asks of the pandas in use, as in pyproject.toml."""


def output_of(name: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *WARNINGS, str(ROOT / "examples" / name)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,  # under twenty seconds on an idle machine; tests share theirs
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
def chosen(tmp_path_factory: pytest.TempPathFactory) -> str:
    return output_of("choose_then_open.py", tmp_path_factory.mktemp("chosen"))


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> str:
    return output_of("ordinary_table.py", tmp_path_factory.mktemp("ordinary"))


@pytest.fixture(scope="module")
def saturation(tmp_path_factory: pytest.TempPathFactory) -> str:
    return output_of("saturation.py", tmp_path_factory.mktemp("saturation"))


@pytest.fixture(scope="module")
def displaced(tmp_path_factory: pytest.TempPathFactory) -> str:
    return output_of("displacement_study.py", tmp_path_factory.mktemp("displaced"))


@pytest.fixture(scope="module")
def reform(tmp_path_factory: pytest.TempPathFactory) -> str:
    return output_of("reform_by_territory.py", tmp_path_factory.mktemp("reform"))


@pytest.fixture(scope="module")
def finite_jobs(tmp_path_factory: pytest.TempPathFactory) -> str:
    return output_of("finite_jobs.py", tmp_path_factory.mktemp("finite_jobs"))


@pytest.fixture(scope="module")
def thresholds(tmp_path_factory: pytest.TempPathFactory) -> str:
    pytest.importorskip("splink")
    return output_of("two_thresholds.py", tmp_path_factory.mktemp("thresholds"))


def test_every_example_is_tested() -> None:
    assert [path.name for path in EXAMPLES] == [
        "choose_then_open.py",
        "displacement_study.py",
        "finite_jobs.py",
        "ordinary_table.py",
        "reform_by_territory.py",
        "saturation.py",
        "two_thresholds.py",
    ]


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


def test_neighbours_say_the_same_whatever_is_left_in_net(finite_jobs: str) -> None:
    lines = re.findall(r"^ +([\d.]+) +([\d.]+) +(-[\d.]+) +([\d.]+) +([\d.]+)$", finite_jobs, re.M)
    assert len(lines) == 5
    against_neighbours, net, truth = ([float(line[i]) for line in lines] for i in (1, 3, 4))
    assert max(against_neighbours) - min(against_neighbours) < 1
    assert net == pytest.approx(truth, abs=1.5)
    assert net[-1] - net[0] > 6


def test_a_study_file_tells_what_is_left_in_net(displaced: str) -> None:
    for label in ("the helped against their neighbours", "the neighbours against markets left"):
        estimate, low, high, truth = row(displaced, label)
        assert low < truth < high, label
        assert low < estimate < high
    assert row(displaced, "the neighbours against markets left alone")[0] < 0
    truth = row(displaced, "in truth")[0]
    gained = row(displaced, "the helped against their neighbours")[0]
    most = row(displaced, "if those who could not be helped lose nothing")
    least = row(displaced, "if they lose as much as their neighbours")
    assert least[1] < truth < least[2]
    assert max(truth, least[0]) < most[0] < gained
    assert "Measured: False" in displaced


def test_a_lenient_threshold_links_more_and_moves_the_effect_little(thresholds: str) -> None:
    linked, strict, low, high = row(thresholds, "threshold 0.99")
    more, lenient, _, _ = row(thresholds, "threshold 0.60")
    everyone, perfect, _, _ = row(thresholds, "who is who, as simulated")
    assert 85 < linked < more < everyone == 100
    assert low < perfect < high
    assert abs(lenient - strict) < (high - low) / 4


def test_groups_are_chosen_by_balance_and_fixed_before_outcomes(chosen: str) -> None:
    gaps = {name: row(chosen, name)[0] for name in ("nearest neighbours", "entropy balancing")}
    assert f"kept: {min(gaps, key=gaps.__getitem__)}" in chosen
    assert gaps["entropy balancing"] < 0.001 < gaps["nearest neighbours"]
    assert "fixed before any outcome: True" in chosen
    assert chosen.count("points") == 4


def test_a_reform_is_found_month_by_month_where_two_way_effects_miss_it(reform: str) -> None:
    for month in ("0", "2", "4", "6"):
        effect, low, high, truth = row(reform, f"{month}  ")
        assert low <= truth <= high
        assert abs(effect - truth) < 0.3
    mean = row(reform, "mean over months and zones")[0]
    assert row(reform, "two-way fixed effects")[0] < mean - 0.2
    assert row(reform, "the last month, started against never")[0] > mean + 1
