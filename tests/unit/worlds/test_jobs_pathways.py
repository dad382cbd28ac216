"""A rollout where jobs are finite, from its raw files to what is said of it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from whatworks import (
    Competition,
    MatchedDifference,
    NearestNeighbours,
    Question,
    SpilloverDiD,
    compare,
    competing,
    expand,
    expose,
    read,
    reconcile,
    roll_out,
)
from whatworks.cli import app
from whatworks.errors import OptionError
from whatworks.months import to_index
from whatworks.worlds import JobsRollout, rollout_truth, simulate_rollout, write_rollout
from whatworks.worlds.jobs.pathways import FIRST, last_month

OPTIONS = JobsRollout(
    seed=1,
    n_markets=60,
    mean_pool=200.0,
    n_months=20,
    openings=((11, 0.5),),
    saturations=(0.7,),
    effect=(1.0,),
    displacement=0.9,
)
MONTH = 8


@pytest.fixture(scope="module")
def world():
    return simulate_rollout(OPTIONS)


@pytest.fixture(scope="module")
def folder(world, tmp_path_factory):
    place = tmp_path_factory.mktemp("rollout") / "raw"
    write_rollout(world, place)
    return place


@pytest.fixture(scope="module")
def panel(world, folder):
    records = reconcile(read(folder / "sources.toml"))
    return expand(records, first=FIRST, last=last_month(world))


def wide(panel, column: str) -> np.ndarray:
    """Whether each person is in a state, shape (n_persons, n_months)."""
    table = panel.table.select("person_id", "month", column).execute()
    return table.pivot_table(index="person_id", columns="month", values=column).to_numpy() > 0


def test_months_of_the_panel_are_those_of_the_world(world, panel):
    assert np.array_equal(wide(panel, "employment"), world.employed.T)
    looking = wide(panel, "joblessness")
    assert looking[~world.employed.T].all()
    # Someone hired, or whose job ends, is registered for the rest of that month.
    stays = world.employed.T[:, 1:-1] & world.employed.T[:, :-2] & world.employed.T[:, 2:]
    assert not looking[:, 1:-1][stays].any()
    assert np.array_equal(wide(panel, "benefit").all(axis=1), world.persons["eligible"] == 1)


def test_persons_markets_and_enrolments_are_those_of_the_world(world, panel):
    people = panel.persons.execute().sort_values("person_id")
    market = world.persons["market"].to_numpy()
    pairs = pd.DataFrame({"told": people["market"].to_numpy(), "true": market}).drop_duplicates()
    assert len(pairs) == OPTIONS.n_markets
    assert np.allclose(people["employability"], world.persons["x"], atol=1e-4)
    enrolled = wide(panel, "accompaniment_job_search")
    first = np.where(enrolled.any(axis=1), enrolled.argmax(axis=1) + 1, 0)
    assert np.array_equal(first, world.persons["first_treated"])
    places = panel.table.select("zone", "tightness").distinct().execute()
    assert places["zone"].nunique() == 30
    assert (places["tightness"] == 1.0).all()


def naive(panel) -> tuple[float, float]:
    """What matching on history says of the enrolled, per 100 of them, and its error."""
    question = Question(
        treatment="job_search",
        outcome="employment_presence",
        months=(MONTH,),
        eligible=("benefit_graduate_scheme",),
        covariates=("employability", "employment.lag1", "employment.months6"),
    )
    design = compare(panel, question, using=NearestNeighbours(ratio=3, caliper_sd=0.2))
    row = MatchedDifference(bias_adjust=True).fit(design).at(MONTH)
    return float(row["estimate"]), float(row["std_error"])


def net(panel) -> tuple[float, float]:
    """Persons at work per 100 enrolled, losses of all those near counted, and its error."""
    question = Question(
        treatment="job_search",
        outcome="employment_presence",
        months=(MONTH,),
        covariates=("employability",),
        first_entry="2021-11",
    )
    rollout = roll_out(panel, question, level="market")
    names = sorted(rollout.units["market"].unique())
    apart = pd.DataFrame({"market": names, "km": 100.0 * np.arange(len(names)), "north": 0.0})
    alone = Competition.by_distance(
        apart, market="market", coordinates=("km", "north"), scale=1.0, cut=1.0
    )
    estimate = SpilloverDiD(rings=(0.0,), cluster="market", pretrends=0).fit(
        competing(rollout, alone)
    )
    effects = estimate.effects.reset_index(drop=True)
    at = effects[(effects["month"] == MONTH) & (effects["group"] == "all")].reset_index()
    at = at.set_index("term")
    form = np.zeros((1, len(effects)))
    form[0, at.loc["total", "index"]] = 1.0
    near = at.loc["spillover", "n_treated"] / at.loc["total", "n_treated"]
    form[0, at.loc["spillover", "index"]] = near
    error = np.sqrt(estimate.uncertainty.combine(form).covariance()[0, 0])
    return float((form @ effects["estimate"].fillna(0).to_numpy())[0]), float(error)


def test_matching_misses_the_net_and_counting_those_near_does_not(panel):
    truth = rollout_truth(OPTIONS, months=MONTH).set_index("month").loc[MONTH]
    assert truth["net_pool"] == pytest.approx(1.19, abs=0.01)
    matched, matched_error = naive(panel)
    assert matched - truth["net_pool"] > 3 * matched_error
    assert matched > 4 * truth["net_pool"]
    found, error = net(panel)
    assert abs(found - truth["net_pool"]) < 2.5 * error
    assert error < 4
    assert found < matched - 2 * matched_error


def test_shares_counted_in_the_panel_are_those_enrolled(world, panel):
    question = Question(
        treatment="job_search",
        outcome="employment_presence",
        months=(MONTH,),
        eligible=("benefit_graduate_scheme",),
        covariates=("employability", "employment.lag1"),
    )
    design = expose(
        compare(panel, question, using=NearestNeighbours(ratio=3, caliper_sd=0.2)),
        panel,
        markets=["zone", "occupation_family"],
        tightness_as_of="2021-06",
    )
    table = design.markets.table
    assert table["month"].unique().tolist() == [to_index(FIRST) + 10]
    before = ~world.employed[9]
    people = world.persons.assign(looks=before)
    sought = people[people["looks"]].groupby("market").size()
    # A contract that ended, or began, last month left its days as a job seeker.
    assert table["seekers"].sum() >= sought.sum()
    opened = (table["treated"] > 0).sum()
    assert opened == (world.markets["opened"] == 11).sum()
    weighted = np.average(table["saturation"], weights=table["eligible"] * (table["treated"] > 0))
    assert weighted == pytest.approx(0.7, abs=0.02)
    assert design.markets.tightness_before


def test_truth_is_written_beside_the_files_and_goes_with_them(world, folder, tmp_path):
    told = json.loads((folder / "truth.json").read_text())
    last = told["effects"][-1]
    assert last["month"] == 12
    truth = rollout_truth(OPTIONS, months=12).iloc[-1]
    assert last["net_pool"] == pytest.approx(truth["net_pool"], abs=1e-6)
    small = simulate_rollout(JobsRollout(n_markets=6, mean_pool=60.0, n_months=18))
    first = {p.name for p in write_rollout(small, tmp_path / "w", families=1)}
    again = {p.name for p in write_rollout(small, tmp_path / "w", families=1, truth=False)}
    assert first - again == {"truth.json"}
    assert not (tmp_path / "w" / "truth.json").exists()


def test_same_world_same_bytes_and_what_cannot_be_written_is_refused(tmp_path):
    small = simulate_rollout(JobsRollout(n_markets=4, mean_pool=60.0, n_months=18))
    for name in ("a", "b"):
        write_rollout(small, tmp_path / name, truth=False)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    with pytest.raises(OptionError, match="families"):
        write_rollout(small, tmp_path / "c", families=4)
    long = replace(small, options=replace(small.options, n_months=61))
    with pytest.raises(OptionError, match="n_months"):
        write_rollout(long, tmp_path / "c")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("kept")
    with pytest.raises(OptionError, match="folder"):
        write_rollout(small, tmp_path / "mine")


def test_the_command_writes_a_world_that_can_be_read(tmp_path):
    place = tmp_path / "world"
    words = ["simulate", str(place), "--world", "jobs", "--persons", "900", "--seed", "3"]
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0, shown.output
    assert {path.name for path in place.iterdir()} >= {"sources.toml", "truth.json", "tension.csv"}
    records = read(place / "sources.toml")
    assert {coverage.kind for coverage in records.coverage} == {
        "employment",
        "joblessness",
        "benefit",
        "accompaniment",
    }
