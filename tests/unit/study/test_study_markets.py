"""What a study file says of markets and stakes: its keys, its mistakes, and the walk it makes."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import whatworks as ww
from whatworks.errors import DesignRefused, OptionError, StudyError
from whatworks.evidence import Evidence, Stakes
from whatworks.study import StudyFile, load, run
from whatworks.study.file import QuestionText, StakesText
from whatworks.study.markets import (
    COMPETITION,
    CommutingText,
    DistanceText,
    LinksText,
    MarketsText,
    SkillsText,
    TableText,
    known_markets,
)
from whatworks.worlds import JobsRollout, simulate_rollout, write_rollout

HEAD = """\
schema = 1
title = "Markets"
section = "synthetic"
sources = "world/sources.toml"
panel = { first = "2021-01", last = "2022-08" }
"""
QUESTION = """
[[questions]]
slug = "help"
treatment = "job_search"
outcome = "employment_presence"
months = [6]
eligible = ["benefit_graduate_scheme", "joblessness"]
covariates = ["employability", "employment.lag1"]
"""
COUNTED = """
[markets]
by = ["zone", "occupation_family"]
tightness_as_of = "2021-06"
"""
SCORE = '[[estimators]]\nmethod = "SaturationScore"\n'


def said(folder: Path, text: str, *, head: str = HEAD, question: str = QUESTION) -> Path:
    """The study file that holds a text between its head and its question."""
    path = folder / "study.toml"
    path.write_text(head + text + question, encoding="utf-8")
    return path


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(StudyError) as told:
        load(said(folder, text))
    return str(told.value)


@pytest.mark.parametrize(
    ("text", "taker", "besides"),
    [
        (MarketsText, ww.expose, {"markets": "by"}),
        (TableText, ww.with_markets, {}),
        (DistanceText, ww.Competition.by_distance, {}),
        (CommutingText, ww.Competition.by_commuting, {}),
        (SkillsText, ww.Competition.by_skills, {}),
        (LinksText, ww.Competition.by_links, {}),
        (StakesText, Stakes, {}),
    ],
)
def test_keys_are_those_of_the_functions_themselves(
    text: type, taker: Callable[..., object], besides: dict[str, str]
) -> None:
    arguments = inspect.signature(taker).parameters.values()
    asked = {besides.get(a.name, a.name) for a in arguments if a.kind is a.KEYWORD_ONLY}
    assert asked
    assert asked <= set(text.model_fields)
    with_defaults = [a for a in arguments if a.kind is a.KEYWORD_ONLY and a.name not in besides]
    for argument in with_defaults:
        field = text.model_fields[argument.name]
        assert field.is_required() == (argument.default is argument.empty)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (COUNTED + 'seeker = ["joblessness"]\n', ["'seeker' at markets.seeker", "write 'seekers'"]),
        ('[markets]\nby = "zone"\n', ["a list in square brackets", "markets.by, line 7"]),
        ('[markets]\nseekers = ["joblessness"]\n', ["needed 'by' beside it", "line 7"]),
        ("[markets]\n", ["'by'", "what makes a market"]),
        (
            COUNTED + '[markets.table]\nfiles = "m.csv"\nmarket = "ZE"\ntightnes = "T"\n',
            ["markets.table.tightnes, line 13", "write 'tightness'"],
        ),
        (
            COUNTED + '[markets.table]\nfiles = "m.csv"\nmarket = "ZE"\nhired_across = "0.1"\n',
            ["a number", "hired_across, line 13"],
        ),
        (
            COUNTED + '[markets.distance]\nfiles = "m.csv"\nmarket = "ZE"\nscale = 10\n',
            ["needed the key 'cut'", "markets.distance"],
        ),
        (
            COUNTED
            + '[markets.links]\nfiles = "m.csv"\nmarket = "a"\nother = "b"\nweight = "w"\n'
            + '[markets.commuting]\nfiles = "m.csv"\nhome = "a"\nwork = "b"\nworkers = "w"\n',
            ["one way at most", "'commuting' and 'links'"],
        ),
        ('[rollout]\nlevel = "zone"\n' + COUNTED, ["no 'by' with [rollout]", "line 10"]),
        ("[stakes]\ncots = 10\n", ["'cots' at stakes.cots, line 7", "write 'cost'"]),
        ("[stakes]\ncost = -1\n", ["stakes.cost, line 7"]),
        ('[stakes]\nvalue = "9000"\n', ["a number", "stakes.value, line 7"]),
        ("[stakes]\npool_share = 1.5\n", ["stakes.pool_share, line 7"]),
        ('[stakes]\nprogramme = "assistence"\n', ["stakes.programme, line 7", "'assistance'"]),
        ('[stakes]\nscarce_jobs = "no"\n', ["true or false", "line 7"]),
    ],
)
def test_a_mistake_names_its_key_and_its_line(tmp_path: Path, text: str, words: list[str]) -> None:
    told = refusal(tmp_path, text)
    for word in words:
        assert word in told


def test_stakes_of_a_question_come_before_those_of_the_file(tmp_path: Path) -> None:
    stakes = "[stakes]\ncost = 1200\nvalue = 9000\npool_share = 0.5\n"
    own = QUESTION + "stakes = { cost = 300, scarce_jobs = false }\n"
    study, _ = load(said(tmp_path, stakes, question=own))
    assert study.at_stake(study.questions[0]) == Stakes(
        cost=300, value=9000, pool_share=0.5, scarce_jobs=False
    )
    plain = QuestionText(slug="other")
    assert study.at_stake(plain) == Stakes(cost=1200, value=9000, pool_share=0.5)


@pytest.mark.parametrize(
    ("text", "needed", "remedy"),
    [
        (SCORE, r"\[markets\]", "by ="),
        ('[[estimators]]\nmethod = "SpilloverDiD"\n', r"\[rollout\]", "comparisons"),
        (COUNTED + '[[estimators]]\nmethod = "SaturationRegression"\n', "drawn", "SaturationScore"),
        ("[rollout]\n" + '[[estimators]]\nmethod = "DoublyRobust"\n', "person by person", "remove"),
    ],
)
def test_a_method_without_its_table_is_refused_before_files_are_read(
    tmp_path: Path, text: str, needed: str, remedy: str
) -> None:
    with pytest.raises(StudyError, match=needed) as told:
        run(said(tmp_path, text))
    assert remedy in told.value.remedy
    assert not (tmp_path / "world").exists()


def known(folder: Path, content: str, keys: dict[str, object], **more: object) -> object:
    (folder / "marches.csv").write_text(content, encoding="iso-8859-1")
    table = {"files": "marches.csv", "encoding": "iso-8859-1", "decimal": ",", **keys}
    asked = MarketsText.model_validate({"by": ["zone"], "table": table, **more})
    return known_markets(asked, folder).table


def test_names_stay_texts_and_numbers_become_numbers(tmp_path: Path) -> None:
    content = "ZE;FAM;TENSION;SECTEUR\n0801;é;0,5;\n0802;b;1,25;public\n"
    keys: dict[str, object] = {"market": ["ZE", "FAM"], "tightness": "TENSION"}
    table = known(tmp_path, content, keys | {"moderators": ["SECTEUR"]})
    assert isinstance(table, pd.DataFrame)
    assert table["market"].tolist() == ["0801 × é", "0802 × b"]
    assert table["TENSION"].tolist() == [0.5, 1.25]
    assert table["SECTEUR"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"market": "ZE", "tightness": "TENSIO"}, ["markets.table.tightness", "write 'TENSION'"]),
        ({"market": "ZE", "files": "marche.csv"}, ["markets.table.files", "'marche.csv'"]),
        ({"market": "ZE", "encoding": "utf-8"}, ["marches.csv", "say its encoding"]),
    ],
)
def test_a_file_that_cannot_be_read_says_which(
    tmp_path: Path, keys: dict[str, object], words: list[str]
) -> None:
    with pytest.raises(StudyError) as told:
        known(tmp_path, "ZE;TENSION\né;0,5\n", keys)
    for word in words:
        assert word in str(told.value)


def test_a_mistake_in_a_table_of_competition_names_it(tmp_path: Path) -> None:
    (tmp_path / "km.csv").write_text("ZE;X;Y\n1;0;0\n1;5;5\n", encoding="utf-8")
    keys = {"files": "km.csv", "market": "ZE", "coordinates": ["X", "Y"], "scale": 1, "cut": 2}
    asked = MarketsText.model_validate({"by": ["zone"], "distance": keys})
    with pytest.raises(OptionError, match=r"markets.distance: .*one row per market"):
        known_markets(asked, tmp_path)


WORLD = JobsRollout(
    seed=4,
    n_markets=60,
    mean_pool=60.0,
    n_months=20,
    openings=((11, 0.7),),
    saturations=(0.2, 0.4, 0.6, 0.8),
    effect=(1.0,),
    tightness=(0.5, 1.0, 2.0),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world, and what is known of its markets and where they are."""
    place = tmp_path_factory.mktemp("markets")
    write_rollout(simulate_rollout(WORLD), place / "world")
    people = pd.read_csv(place / "world" / "personnes.csv", sep=";", dtype=str)
    names = people[["BASSIN", "METIER"]].drop_duplicates().sort_values("BASSIN")
    families = {"COM": "trade", "BAT": "building", "SAN": "health"}
    names = names.assign(
        ZE=names["BASSIN"].str[:4], METIER=names["METIER"].map(families), X=0.0, Y=0.0
    )
    names = names.assign(X=100.0 * np.arange(len(names)), RURAL=np.arange(len(names)) % 2)
    names.to_csv(place / "marches.csv", sep=";", index=False)
    return place


@pytest.fixture(scope="module")
def panel(folder: Path) -> ww.Panel:
    records = ww.reconcile(ww.read(folder / "world" / "sources.toml"))
    return ww.expand(records, first="2021-01", last="2022-08")


TABLE = """
[markets.table]
files = "marches.csv"
market = ["ZE", "METIER"]
moderators = ["RURAL"]
hired_across = 0.1
"""


@pytest.fixture(scope="module")
def evidence(folder: Path) -> Evidence:
    text = (
        COUNTED + TABLE + "[stakes]\ncost = 1200\nvalue = 9000\n"
        '[comparison]\nmethod = "everyone"\n' + SCORE
    )
    return run(said(folder, text))[0].evidence


def test_the_walk_says_what_the_same_calls_say(evidence: Evidence, panel: ww.Panel) -> None:
    question = ww.Question(
        treatment="job_search",
        outcome="employment_presence",
        months=(6,),
        eligible=("benefit_graduate_scheme", "joblessness"),
        covariates=("employability", "employment.lag1"),
    )
    design = ww.expose(
        ww.compare(panel, question, using=ww.COMPARISONS["everyone"]()),
        panel,
        markets=["zone", "occupation_family"],
        tightness_as_of="2021-06",
    )
    assert design.markets is not None
    found = evidence.design.markets
    assert found is not None
    counts = ["market", "month", "seekers", "eligible", "treated", "saturation", "tightness"]
    pd.testing.assert_frame_equal(found.table[counts], design.markets.table[counts])
    assert set(found.table["RURAL"]) == {0.0, 1.0}
    assert found.hired_across == 0.1
    assert (found.shares_from, found.tightness_before) == ("files", True)
    own = evidence.estimates[0].effects
    told = own[own["month"] == 6].set_index(["term", "group"])["estimate"]
    assert {"direct", "spillover", "total"} <= set(told.index.get_level_values("term"))
    assert told[("direct", "all")] + told[("spillover", "all")] == pytest.approx(
        told[("total", "all")]
    )


def test_stakes_and_markets_reach_the_evidence(evidence: Evidence) -> None:
    statement = evidence.displacement
    assert (statement.stakes.cost, statement.stakes.value) == (1200, 9000)
    assert (statement.code, statement.measured) == ("saturation_not_randomised", False)
    assert statement.net is not None
    assert 0.3 < statement.net.pool_share < 0.7
    assert statement.break_even is not None
    told = json.loads(evidence.provenance["markets"])
    assert told["by"] == ["zone", "occupation_family"]
    assert told["table"]["market"] == ["ZE", "METIER"]
    assert MarketsText.model_validate(told).by == ("zone", "occupation_family")
    assert len(evidence.provenance["file:marches.csv"]) == 64


def test_markets_are_sealed_before_outcomes(evidence: Evidence) -> None:
    assert evidence.design.seal is not None
    assert evidence.design.seal.before_outcomes


def test_a_matched_contrast_is_never_alone_where_shares_vary(folder: Path) -> None:
    statement = run(said(folder, COUNTED))[0].evidence.displacement
    assert (statement.code, statement.net) == ("not_read", None)
    assert [str(lack.code) for lack in statement.lacks] == ["net_claim_without_design"]


def test_a_market_of_no_column_is_refused_by_its_key(folder: Path) -> None:
    wrong = COUNTED.replace("occupation_family", "occupation_famly")
    with pytest.raises(OptionError, match=r"study.toml, question 'help': markets: markets") as told:
        run(said(folder, wrong + SCORE))
    assert told.value.remedy == "write 'occupation_family'"


def test_a_table_that_forgets_a_market_is_refused(folder: Path) -> None:
    names = pd.read_csv(folder / "marches.csv", sep=";", dtype=str)
    names.iloc[:-1].to_csv(folder / "some.csv", sep=";", index=False)
    text = COUNTED + TABLE.replace("marches.csv", "some.csv") + SCORE
    with pytest.raises(DesignRefused, match=r"markets.table: .*1 of 60 that it does not tell"):
        run(said(folder, text))


ROLLOUT = """
[rollout]
level = "market"

[markets.distance]
files = "marches.csv"
market = "BASSIN"
coordinates = ["X", "Y"]
scale = 1.0
cut = 1.0

[[estimators]]
method = "SpilloverDiD"
rings = [0.0]
cluster = "market"
pretrends = 0
"""
ROLLED = """
[[questions]]
slug = "help"
treatment = "job_search"
outcome = "employment_presence"
months = [6]
covariates = ["public"]
first_entry = "2021-11"
territories = ["zone=9001", "zone=9002", "zone=9003", "zone=9004", "zone=9005", "zone=9006"]
"""


def test_a_rollout_with_distances_tells_those_near(folder: Path) -> None:
    evidence = run(said(folder, ROLLOUT, question=ROLLED))[0].evidence
    effects = evidence.estimates[0].effects
    assert {"total", "spillover", "contamination"} <= set(effects["term"])
    assert evidence.design.markets is not None
    assert evidence.design.markets.competition is not None


def test_pilot_areas_are_read_off_starts_of_territories(folder: Path) -> None:
    opened = simulate_rollout(WORLD).markets["opened"]
    people = pd.read_csv(folder / "world" / "personnes.csv", sep=";", dtype=str)
    names = sorted(people["BASSIN"].unique())
    rows = [
        f'"{name}" = "2021-11"'
        for name, month in zip(names, opened, strict=True)
        if month and name < "9007"
    ]
    text = (
        '[rollout]\nlevel = "market"\n[rollout.starts]\n' + "\n".join(rows) + "\n"
        '[[estimators]]\nmethod = "PilotAreas"\neligible = "public=young_graduate"\n'
    )
    evidence = run(said(folder, text, question=ROLLED))[0].evidence
    at = evidence.estimates[0].effects.set_index(["term", "month"])["estimate"]
    assert at[("direct", 6)] > 0
    assert at[("triple", 6)] == pytest.approx(at[("total", 6)] - at[("spillover_ineligible", 6)])


def test_a_truth_of_markets_is_not_read_as_that_of_accompaniments(folder: Path) -> None:
    with pytest.raises(StudyError, match="effects by share helped"):
        run(said(folder, COUNTED, head=HEAD + 'truth = "world/truth.json"\n'))


def test_the_schema_of_the_file_holds_every_table() -> None:
    assert {"markets", "stakes"} <= set(StudyFile.model_fields)
    assert set(COMPETITION) == {"distance", "commuting", "links", "skills"}
