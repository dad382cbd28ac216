"""A design does not know by which numbers a panel calls its persons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import ibis
import pandas as pd
import pytest

from hand import records, spell
from whatworks import Design, Exact, MatchedDifference, NearestNeighbours, Panel, Question, compare
from whatworks.design.comparison import Comparison
from whatworks.panel import build, expand
from whatworks.sources.records import Records
from whatworks.spells import reconcile

WINDOW = {"first": "2020-01", "last": "2020-12"}
PEOPLE = [f"p{k:03d}" for k in range(90)]
LATER = [p for p in PEOPLE[20:] if p != "p033"]
EVERYONE = [p for p in PEOPLE if p != "p033"]
QUESTION = Question(
    treatment="job_search",
    outcome="employment_presence",
    months=(2, 4),
    covariates=("sex", "market", "employment.lag1", "employment.months3", "benefit_rsa.lag1"),
)


def told(people: list[str]) -> Records:
    """One person in three enters, in May to July; histories and outcomes differ by person."""
    stays = []
    for person in people:
        k = int(person[1:])
        if k % 3 == 0:
            entry = f"2020-{5 + k % 4 % 3:02d}-10"
            stays.append(spell(person, "accompaniment", "job_search", entry, None))
        if k % 2 or k % 5 == 1:
            end = f"2020-{2 + k % 7:02d}-20"
            stays.append(spell(person, "employment", "cdd", "2019-12-01", end))
        if k % 7 > 2:
            begin = f"2020-{7 + k % 4:02d}-05"
            stays.append(spell(person, "employment", "cdi", begin, None))
        if k % 11 > 4:
            stays.append(spell(person, "benefit", "rsa", "2019-01-01", None))
    attributes: Mapping[str, tuple[str, list[object]]] = {
        "sex": ("category", ["w" if int(p[1:]) % 4 < 2 else "m" for p in people]),
        "market": ("category", [f"ZE{int(p[1:]) // 7 % 3}" for p in people]),
    }
    return records(people, episodes=stays, attributes=attributes)


def effects(made: Panel, using: Comparison) -> tuple[pd.DataFrame, Design]:
    design = compare(made, QUESTION, using=using)
    return MatchedDifference().fit(design).effects, design


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> Panel:
    """Of the first build somebody leaves; then others come, who sort before everyone."""
    folder = tmp_path_factory.mktemp("refreshed")
    build(told(PEOPLE[20:]), folder, **WINDOW, block_persons=16)
    build(told(LATER), folder, **WINDOW, block_persons=16)
    return build(told(EVERYONE), folder, **WINDOW, block_persons=16)


@pytest.fixture(scope="module")
def fresh() -> Panel:
    return expand(reconcile(told(EVERYONE)), **WINDOW)


METHODS = pytest.mark.parametrize(
    "using",
    [NearestNeighbours(ratio=2, caliper_sd=None), Exact()],
    ids=["nearest", "exact"],
)


@METHODS
def test_a_refreshed_panel_gives_the_estimate_of_one_laid_out_anew(
    refreshed: Panel, fresh: Panel, using: Comparison
) -> None:
    found, design = effects(refreshed, using)
    expected, other = effects(fresh, using)
    assert len(design.units) == len(other.units)
    assert (design.units["person_id"].to_numpy() != other.units["person_id"].to_numpy()).any()
    pd.testing.assert_frame_equal(found, expected, rtol=1e-12, atol=1e-12)
    assert expected["estimate"].abs().max() > 0


@METHODS
def test_numbers_with_gaps_change_nothing(fresh: Panel, using: Comparison) -> None:
    gaps = replace(fresh, table=spread(fresh.table), persons=spread(fresh.persons))
    found, design = effects(gaps, using)
    expected, other = effects(fresh, using)
    assert (design.units["person_id"] == other.units["person_id"] * 1_000 + 17).all()
    pd.testing.assert_frame_equal(found, expected)


def spread(table: ibis.Table) -> ibis.Table:
    """The table by numbers far apart."""
    return table.mutate(person_id=table["person_id"] * 1_000 + 17)
