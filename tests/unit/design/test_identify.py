"""Backdoor sets of small graphs whose answer is known from the textbook."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from whatworks.design import Design
from whatworks.design.causes.identify import identify
from whatworks.design.causes.pathway import Pathway
from whatworks.errors import DesignRefused, StudyError


def graph(text: str) -> Pathway:
    return Pathway.model_validate({"schema": 1, **tomllib.loads(text)})


CONFOUNDED = """
[nodes.health]
measured_by = ["health*"]
causes = ["treatment", "outcome"]
[nodes.age]
measured_by = ["age"]
causes = ["treatment", "outcome", "health"]
"""
M_BIAS = """
[nodes.taste]
causes = ["treatment", "friends"]
[nodes.luck]
causes = ["outcome", "friends"]
[nodes.friends]
measured_by = ["friends"]
"""
MEDIATED = """
[nodes.age]
measured_by = ["age"]
causes = ["treatment", "outcome"]
[nodes.skills]
measured_by = ["skills"]
caused_by_treatment = true
causes = ["wage"]
[nodes.wage]
measured_by = ["wage"]
causes = ["outcome"]
"""
HIDDEN = """
[nodes.motivation]
causes = ["treatment", "outcome"]
[nodes.age]
measured_by = ["age"]
causes = ["treatment", "outcome"]
"""


def test_all_confounders_held() -> None:
    found = identify(["health.lag1", "age"], graph(CONFOUNDED))
    assert (found.problem, found.nodes, found.unplaced) == ("", (), ())
    assert found.required == ("age", "health")
    found.raise_if_unidentified()


def test_a_missing_confounder_is_named_with_what_would_measure_it() -> None:
    found = identify(["age"], graph(CONFOUNDED))
    assert (found.problem, found.nodes) == ("missing", ("health",))
    with pytest.raises(DesignRefused, match=r"hold health.*health\*"):
        found.raise_if_unidentified()


def test_two_missing_confounders_are_both_named() -> None:
    assert identify([], graph(CONFOUNDED)).nodes == ("age", "health")


def test_a_collider_is_named_and_leaving_it_out_is_enough() -> None:
    assert identify([], graph(M_BIAS)).problem == ""
    found = identify(["friends"], graph(M_BIAS))
    assert (found.problem, found.nodes) == ("collider", ("friends",))
    with pytest.raises(DesignRefused, match="collider"):
        found.raise_if_unidentified()


@pytest.mark.parametrize("late", ["skills", "wage"])
def test_what_comes_after_entry_is_named_even_two_steps_away(late: str) -> None:
    found = identify(["age", late], graph(MEDIATED))
    assert (found.problem, found.nodes) == ("after_entry", (late,))
    with pytest.raises(DesignRefused, match="after entry"):
        found.raise_if_unidentified()


def test_a_confounder_nobody_observes_is_named() -> None:
    found = identify(["age"], graph(HIDDEN))
    assert (found.problem, found.nodes, found.required) == ("unobserved", ("motivation",), ())


def test_a_covariate_the_graph_does_not_speak_of_stops() -> None:
    found = identify(["age", "health", "shoe_size"], graph(CONFOUNDED))
    assert found.unplaced == ("shoe_size",)
    with pytest.raises(DesignRefused, match="shoe_size"):
        found.raise_if_unidentified()


def test_the_shipped_graph_holds_hidden_motivation_through_the_history() -> None:
    every = ["market", "sex=woman", "birth_month.age", "education_level=higher", "children"]
    found = identify([*every, "employment.lag1", "benefit.months12"])
    assert (found.problem, found.unplaced) == ("", ())
    assert "motivation" not in found.required
    without = identify([*every, "benefit.months12"])
    assert (without.problem, without.nodes) == ("missing", ("employment_history",))


def test_a_graph_that_turns_back_on_itself_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ring.toml"
    file.write_text('schema = 1\n[nodes.a]\ncauses = ["b"]\n[nodes.b]\ncauses = ["a"]\n')
    with pytest.raises(StudyError, match="a → b → a"):
        Pathway.load(file)


def test_a_cause_that_does_not_exist_is_refused_with_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "typo.toml"
    file.write_text('schema = 1\n[nodes.a]\ncauses = ["outcom"]\n')
    with pytest.raises(StudyError, match=r"line 3.*outcome|outcome.*line 3"):
        Pathway.load(file)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"nothing\.toml"):
        Pathway.load(tmp_path / "nothing.toml")


def test_a_design_keeps_the_graph_it_satisfies() -> None:
    table = pd.DataFrame({"t": [0, 1, 0, 1], "y": np.arange(4.0), "age": [1.0, 2, 3, 4]})
    design = Design.from_cross_section(table, treatment="t", outcome="y", covariates=["age"])
    with pytest.raises(DesignRefused, match="health"):
        design.identified_by(graph(CONFOUNDED))
    alone = graph('[nodes.age]\nmeasured_by = ["age"]\ncauses = ["treatment", "outcome"]')
    assert design.identified_by(alone).graph == alone
