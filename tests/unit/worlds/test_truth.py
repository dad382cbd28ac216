"""The published truth: what it says, that it can be computed again, and that it pairs lives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from whatworks.errors import OptionError
from whatworks.worlds import PROGRAMMES, Departement, compute_truth, read_truth
from whatworks.worlds.departement import live
from whatworks.worlds.truth import MONTHS, OUTCOMES, truth_to_json

COMMITTED = Path(__file__).parents[3] / "data" / "synthetic" / "truth.json"
KEY = ["accompaniment", "outcome", "month"]


@pytest.fixture(scope="module")
def committed():
    return read_truth(COMMITTED)


@pytest.fixture(scope="module")
def smaller(committed):
    """The same world from one in ten of the persons."""
    return compute_truth(committed.options, n_persons=150_000, block=50_000)


def test_committed_truth_is_that_of_the_default_world(committed):
    assert committed.options == Departement()
    assert committed.n_persons >= 400_000


def test_every_figure_is_there_with_its_error(committed):
    types = [p.accompaniment.value for p in committed.options.programmes]
    rows = pd.MultiIndex.from_product([types, list(OUTCOMES), MONTHS], names=KEY)
    for frame in (committed.population, committed.sample):
        assert frame.set_index(KEY).index.equals(rows)
        assert frame["value"].notna().all()
        assert (frame["unit"] == frame["outcome"].map(OUTCOMES)).all()
    assert len(committed.naive) == 24
    assert (committed.naive["month"] == 24).all()
    assert committed.population["std_error"].between(0, 0.3, inclusive="neither").all()
    assert committed.naive["std_error"].between(0, 0.3, inclusive="neither").all()


def test_file_states_the_estimand_and_every_parameter():
    held = json.loads(COMMITTED.read_text(encoding="utf-8"))
    assert "had they not entered in that month" in held["estimand"]
    assert set(held["outcomes"]) == set(OUTCOMES)
    assert held["options"]["seed"] == Departement().seed
    assert len(held["programmes"]) == 6


def test_a_smaller_population_agrees_within_simulation_error(committed, smaller):
    for name in ("population", "naive"):
        old, new = (getattr(t, name).set_index(KEY) for t in (committed, smaller))
        error = np.hypot(old["std_error"], new["std_error"])
        if name == "naive":
            # Three blocks make a rough error: the committed one, for a population ten times smaller.
            error = old["std_error"] * np.sqrt(1 + committed.n_persons / smaller.n_persons)
        assert ((old["value"] - new["value"]).abs() < 4 * error + 1e-4).all()


def test_truth_of_the_sample_itself_is_regenerated_exactly(committed, smaller):
    pd.testing.assert_frame_equal(committed.sample, smaller.sample)


def test_file_comes_back_as_it_was(committed, tmp_path):
    assert truth_to_json(committed) == COMMITTED.read_text(encoding="utf-8")
    copy = tmp_path / "truth.json"
    copy.write_text(truth_to_json(committed), encoding="utf-8")
    assert read_truth(copy).options == committed.options


def test_the_naive_contrast_flatters_job_search_and_wrongs_the_others(committed):
    naive = committed.naive.query("outcome == 'employment_presence'").set_index("accompaniment")
    for programme in PROGRAMMES:
        name = programme.accompaniment.value
        bias = naive.loc[name, "value"] - committed.at(
            name, outcome="employment_presence", month=24
        )
        error = 4 * naive.loc[name, "std_error"]
        if name == "job_search":
            assert bias > 5 + error
        else:
            assert bias < -2 - error


def test_effects_start_with_lock_in_and_differ_by_type(committed):
    def effect(name: str, month: int) -> float:
        return committed.at(name, outcome="employment_presence", month=month)

    for name in ("aided_contract", "work_integration", "intensive_integrated"):
        assert effect(name, 6) < -1 < 1 < effect(name, 24)
    at_end = {p.accompaniment.value: effect(p.accompaniment.value, 24) for p in PROGRAMMES}
    assert max(at_end, key=at_end.__getitem__) == "intensive_integrated"
    assert abs(at_end["social_participation"]) < 1.5
    assert abs(at_end["access_to_rights"]) < 2
    assert effect("job_search", 12) > effect("job_search", 24) > 0


def test_forbidding_an_entry_changes_that_life_from_that_month_only():
    options, seed = Departement(n_persons=5_000), np.random.SeedSequence(3)
    lived = live(options, seed).pathways
    other = live(options, seed, blocked=lived.entry).pathways
    never = lived.entry < 0
    assert np.array_equal(lived.employed[:, never], other.employed[:, never])
    assert np.array_equal(lived.rsa[:, never], other.rsa[:, never])
    who = np.flatnonzero(~never)
    for person in who[:200]:
        month = lived.entry[person]
        assert np.array_equal(lived.employed[:month, person], other.employed[:month, person])
        assert np.array_equal(lived.rsa[:month, person], other.rsa[:month, person])
    # Kept out of one month, a person may still enter in a later one, never in that one.
    assert (other.entry[who] != lived.entry[who]).all()
    later = other.entry[who] >= 0
    assert 0.1 < later.mean() < 0.6
    assert (other.entry[who][later] > lived.entry[who][later]).all()


def test_a_type_without_entrants_has_no_number():
    few = compute_truth(Departement(n_persons=3, seed=5), n_persons=4_000, block=2_000)
    empty = few.sample["n"] == 0
    assert empty.any()
    assert few.sample.loc[empty, "value"].isna().all()
    assert json.loads(truth_to_json(few))["sample"][int(np.argmax(empty))]["value"] is None


def test_population_is_whole_blocks_reported_one_by_one():
    with pytest.raises(OptionError, match="multiple of the block"):
        compute_truth(Departement(), n_persons=1_500, block=1_000)
    seen: list[tuple[int, int]] = []
    compute_truth(
        Departement(n_persons=50),
        n_persons=6_000,
        block=3_000,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 2), (2, 2)]
