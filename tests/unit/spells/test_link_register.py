"""Persons linked by probability: French names, and a register whose persons are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import ibis
import numpy as np
import pandas as pd
import pytest

from identities import FIELDS, known, of_register, who
from whatworks import doors
from whatworks.sources.mapping.people import Linkage
from whatworks.sources.records import Records
from whatworks.spells.link import link, score
from whatworks.spells.linking.scored import Scored
from whatworks.worlds.identities import Faults, simulate_register

VARIABLE = "WHATWORKS_TEST_SECRET"
LINKAGE = Linkage(secret_env=VARIABLE)
PERSONS = 3_000
BORN = {"birth_date": "1984-03-17", "sex": "F", "commune": "59350", "birth_commune": "62041"}
MAN = {"birth_date": "1979-11-23", "sex": "M", "commune": "08105", "birth_commune": "08409"}

ONE = {
    "accents, capitals and ligatures": (
        {**BORN, "birth_name": "Lebœuf", "first_names": "Hélène"},
        {**BORN, "birth_name": "LEBOEUF", "first_names": "HELENE"},
    ),
    "hyphen, apostrophe and double spaces": (
        {**BORN, "birth_name": "N'Diaye-Bonnat", "first_names": "Marie-Laure"},
        {**BORN, "birth_name": "N DIAYE  BONNAT", "first_names": "MARIE LAURE"},
    ),
    "particle left out": (
        {**MAN, "birth_name": "de La Rochebrune", "first_names": "Tancrède"},
        {**MAN, "birth_name": "ROCHEBRUNE", "first_names": "TANCREDE"},
    ),
    "birth name in one file, usage name in the other": (
        {**BORN, "birth_name": "Vauquelin", "usage_name": "Tchernov", "first_names": "Odette"},
        {**BORN, "birth_name": "TCHERNOV", "first_names": "ODETTE"},
    ),
    "one part of a compound name": (
        {**BORN, "birth_name": "Quéméner-Stravinski", "first_names": "Bérengère"},
        {**BORN, "birth_name": "STRAVINSKI", "first_names": "BERENGERE"},
    ),
    "name and first name exchanged": (
        {**MAN, "birth_name": "Aurélien", "first_names": "Zyngerman"},
        {**MAN, "birth_name": "ZYNGERMAN", "first_names": "AURELIEN"},
    ),
    "known by a second first name": (
        {**BORN, "birth_name": "Fauchereau", "first_names": "Ludivine Apolline"},
        {**BORN, "birth_name": "FAUCHEREAU", "first_names": "APOLLINE"},
    ),
    "half of a compound first name": (
        {**MAN, "birth_name": "Wachowiak", "first_names": "Jean-Baptiste"},
        {**MAN, "birth_name": "WACHOWIAK", "first_names": "JEAN"},
    ),
    "a typing error in each name": (
        {**BORN, "birth_name": "Brzezinska", "first_names": "Frédérique"},
        {**BORN, "birth_name": "BRZEZINKSA", "first_names": "FREDERIQE"},
    ),
    "day and month exchanged": (
        {
            **BORN,
            "birth_name": "Mazurkiewicz",
            "first_names": "Solange",
            "birth_date": "1984-03-07",
        },
        {
            **BORN,
            "birth_name": "MAZURKIEWICZ",
            "first_names": "SOLANGE",
            "birth_date": "1984-07-03",
        },
    ),
    "1 January because the year alone was known": (
        {**BORN, "birth_name": "Abdelkrimi", "first_names": "Zoubida"},
        {**BORN, "birth_name": "ABDELKRIMI", "first_names": "ZOUBIDA", "birth_date": "1984-01-01"},
    ),
    "moved to another département": (
        {**MAN, "birth_name": "Kerguelenec", "first_names": "Corentin"},
        {**MAN, "birth_name": "KERGUELENEC", "first_names": "CORENTIN", "commune": "13055"},
    ),
    "same person as the first twin": (
        {**BORN, "birth_name": "Jumelait", "first_names": "Rosalie"},
        {**BORN, "birth_name": "JUMELAIT", "first_names": "ROSALIE"},
    ),
}
TWO = {
    "twins": (
        {**BORN, "birth_name": "Gemellaire", "first_names": "Éléonore", "phone": "0612345678"},
        {**BORN, "birth_name": "GEMELLAIRE", "first_names": "VIOLETTE", "phone": "0612345678"},
    ),
    "twins of two sexes with near first names": (
        {**BORN, "birth_name": "Dioscurel", "first_names": "Frédérique"},
        {**BORN, "birth_name": "DIOSCUREL", "first_names": "FREDERIC", "sex": "M"},
    ),
    "father and son of one name": (
        {**MAN, "birth_name": "Perepelitza", "first_names": "Étienne"},
        {**MAN, "birth_name": "PEREPELITZA", "first_names": "ETIENNE", "birth_date": "2003-06-12"},
    ),
    "brother and sister": (
        {**MAN, "birth_name": "Fraternault", "first_names": "Gaspard"},
        {
            **MAN,
            "birth_name": "FRATERNAULT",
            "first_names": "OCTAVIE",
            "sex": "F",
            "birth_date": "1981-02-09",
        },
    ),
    "homonyms of a common name": (
        {**MAN, "birth_name": "Martin", "first_names": "Jean", "birth_commune": "33063"},
        {
            **MAN,
            "birth_name": "MARTIN",
            "first_names": "JEAN",
            "birth_date": "1979-04-02",
            "commune": "75112",
            "birth_commune": "59350",
        },
    ),
    "two persons born on a 1 January of one year": (
        {**MAN, "birth_name": "Diallo", "first_names": "Mamadou", "birth_date": "1990-01-01"},
        {
            **MAN,
            "birth_name": "Diallo",
            "first_names": "Moussa",
            "birth_date": "1990-01-01",
            "commune": "75112",
        },
    ),
}


@pytest.fixture(scope="module", autouse=True)
def _secret() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "correct horse battery staple")
        yield


@pytest.fixture(scope="module")
def register() -> tuple[Records, pd.DataFrame]:
    """A register without any NIR, and the cases above among its persons."""
    made = simulate_register(PERSONS, rng=np.random.default_rng(7), faults=Faults(nir_missing=1.0))
    cases = [
        who(f"{space}:{kind}{k}", **fields)
        for kind, table in (("one", ONE), ("two", TWO))
        for k, pair in enumerate(table.values())
        for space, fields in zip(("work", "caf"), pair, strict=True)
    ]
    extra = pd.DataFrame(cases).reindex(columns=list(FIELDS))
    return of_register(pd.concat([made.identities, extra], ignore_index=True)), made.truth


@pytest.fixture(scope="module")
def scored(register: tuple[Records, pd.DataFrame]) -> Scored:
    return score(register[0], linkage=LINKAGE)


@pytest.fixture(scope="module")
def linked(scored: Scored) -> pd.DataFrame:
    return names(scored, 0.99)


def names(scored: Scored, threshold: float) -> pd.DataFrame:
    """``person_id, linked``: whom each person of a space became, read off one measure per person."""
    records = scored.records
    ranked = records.persons.order_by("person_id").select(
        source=ibis.literal("s"),
        person_id=ibis._.person_id,
        measure=ibis.literal("rank"),
        month=ibis.literal(0, "int32"),
        value=ibis.row_number().over(order_by="person_id").cast("float64"),
    )
    told = ranked.execute()
    marks = records.connection.create_table(ibis.util.gen_name("marks"), ranked, temp=True)
    marked = replace(scored, records=replace(records, measures=marks))
    after = marked.at(threshold)
    assert after.measures is not None
    became = after.measures.select("value", linked="person_id").execute()
    return told.merge(became, on="value")[["person_id", "linked"]]


def pairs(frame: pd.DataFrame, by: list[str]) -> int:
    size = frame.groupby(by).size()
    return int((size * (size - 1) // 2).sum())


@pytest.mark.parametrize("case", ONE)
def test_one_person(case: str, linked: pd.DataFrame) -> None:
    k = list(ONE).index(case)
    became = linked.set_index("person_id")["linked"]
    assert became[f"work:one{k}"] == became[f"caf:one{k}"]


@pytest.mark.parametrize("case", TWO)
def test_two_persons(case: str, linked: pd.DataFrame) -> None:
    k = list(TWO).index(case)
    became = linked.set_index("person_id")["linked"]
    assert became[f"work:two{k}"] != became[f"caf:two{k}"]


def test_precision_and_recall_on_known_persons(
    register: tuple[Records, pd.DataFrame], linked: pd.DataFrame
) -> None:
    both = linked.merge(register[1], on="person_id")
    found = pairs(both, ["linked", "person"])
    assert found / pairs(both, ["linked"]) >= 0.995
    assert found / pairs(both, ["person"]) >= 0.95


def test_nobody_is_two_persons_of_a_space(linked: pd.DataFrame) -> None:
    space = linked["person_id"].str.partition(":")[0]
    assert not linked.assign(space=space).duplicated(["linked", "space"]).any()


def test_a_second_threshold_compares_nobody_again(
    scored: Scored, linked: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "splink", lambda: pytest.fail("scored again"))
    lenient = names(scored, 0.6)
    assert pairs(lenient, ["linked"]) > pairs(linked, ["linked"])


def test_links_carry_method_and_probability_above_the_threshold(scored: Scored) -> None:
    told = scored.at(0.99).linked
    assert told is not None
    assert told.threshold == 0.99
    links = told.links.execute()
    assert set(links["method"]) == {"probabilistic", "alone"}
    assert links.loc[links["method"] == "probabilistic", "probability"].min() >= 0.99
    assert links.loc[links["method"] == "alone", "probability"].isna().all()
    whole = told.rates.set_index(["by", "group"]).loc[("all", "")]
    assert 0 < whole["false_link_rate"] < 0.01


def test_the_estimated_share_of_false_links_covers_the_true_one(
    scored: Scored, register: tuple[Records, pd.DataFrame]
) -> None:
    both = names(scored, 0.6).merge(register[1], on="person_id")
    false = 1 - pairs(both, ["linked", "person"]) / pairs(both, ["linked"])
    told = scored.at(0.6).linked
    assert told is not None
    estimated = told.rates.set_index("by").loc["all", "false_link_rate"]
    assert abs(float(estimated) - false) < 0.01


def test_linking_twice_gives_the_same_persons_and_probabilities() -> None:
    made = simulate_register(300, rng=np.random.default_rng(3), faults=Faults(nir_missing=0.5))
    rows = made.identities

    def links(frame: pd.DataFrame) -> pd.DataFrame:
        told = link(of_register(frame), linkage=LINKAGE).linked
        assert told is not None
        columns = ["person_id", "space", "method", "probability"]
        return told.links.execute()[columns].sort_values(columns).reset_index(drop=True)

    first = links(rows)
    shuffled = rows.sample(frac=1, random_state=1).reset_index(drop=True)
    pd.testing.assert_frame_equal(links(shuffled), first)


def test_the_library_of_linkage_writes_nothing_and_leaves_nothing(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    made = simulate_register(300, rng=np.random.default_rng(5), faults=Faults(nir_missing=1.0))
    records = of_register(made.identities)
    link(records, linkage=LINKAGE)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    con = records.connection.con
    tables = con.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    views = con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    assert [name for (name,) in (*tables, *views) if "splink" in name] == []


PETIT = {"birth_name": "Petit", "first_names": "Anne", "birth_date": "1980-01-02"}
ROUX = {"birth_name": "Roux", "first_names": "Zoé", "birth_date": "1990-07-12"}
NOBODY = {"birth_name": "' -", "first_names": "--", "birth_date": "1990-07-12"}


@pytest.mark.parametrize(
    ("one", "other", "persons"), [(PETIT, PETIT, 1), (PETIT, ROUX, 2), (ROUX, NOBODY, 2)]
)
def test_files_too_small_to_learn_from_are_weighed_by_our_own_values(
    one: dict[str, str], other: dict[str, str], persons: int
) -> None:
    rows = [
        who("caf:1", **one),
        who("work:1", **other),
        who("work:2", **{**PETIT, "birth_date": "1961-05-30"}),
    ]
    linked = link(known(rows), linkage=LINKAGE)
    assert linked.persons.count().execute() == persons + 1
