"""Communes, what they belong to and how tight their market is, on crosswalks checked by eye."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ibis
import pytest
from ibis.backends.duckdb import Backend

from unit.sources.folder import rows
from whatworks.errors import MappingError
from whatworks.months import to_index
from whatworks.sources import connect
from whatworks.sources.mapping import Mapping
from whatworks.sources.problems import ProblemsError
from whatworks.sources.references.territories import Atlas, in_geography, read_territories
from whatworks.sources.scratch import Scratch

MAPPING = """\
schema = 1
[sources.people]
layout = "persons"
files = "people.csv"
person.column = "id"
place.column = "commune"
[territories]
geography = "2024"
communes = {files = "communes.csv", commune = "com", zone = "ze", departement = "dep"}
"""
CHANGES = 'changes = {files = "changes.csv", old = "avant", new = "apres"}\n'
TIGHTNESS = """\
[territories.tightness]
files = "tension.csv"
place = "ze"
month = {column = "mois", format = "%Y-%m"}
value = {column = "tension", decimal = ","}
"""
COMMUNES = "com;ze;dep\n01001;8201;01\n1004;8201;01\n08105;4401;08\n2A004;9401;2A\n"
JANUARY = to_index("2021-01")


@dataclass(frozen=True)
class Desk:
    """Where a test writes reference files and reads them."""

    path: Path
    scratch: Scratch

    def file(self, name: str, content: str) -> None:
        (self.path / name).write_text(content, encoding="utf-8")

    def read(self, text: str) -> Atlas:
        mapping = Mapping.model_validate(tomllib.loads(text))
        atlas = read_territories(
            mapping,
            self.path / "sources.toml",
            spool=self.path / "spool.csv",
            scratch=self.scratch,
        )
        assert atlas is not None
        return atlas

    def refused(self, text: str) -> str:
        with pytest.raises(ProblemsError) as caught:
            self.read(text)
        return "; ".join(f"{p.what}: {p.needed}: {p.found}" for p in caught.value.problems)

    def places(self, *told: tuple[str, str, str, int, int | None]) -> ibis.Table:
        schema = {
            "source": "string", "person_id": "string", "commune": "string", "first": "int32",
            "last": "int32",
        }  # fmt: skip
        frame = ibis.memtable(list(told), schema=ibis.schema(schema))
        return self.scratch.keep("told", frame, what="test")


@pytest.fixture(scope="module")
def own_engine() -> Backend:
    return connect(memory_limit="200MB", threads=1)


@pytest.fixture
def desk(tmp_path: Path, own_engine: Backend) -> Iterator[Desk]:
    with Scratch(own_engine) as scratch:
        place = Desk(tmp_path, scratch)
        place.file("communes.csv", COMMUNES)
        yield place


def test_communes(desk: Desk) -> None:
    """A zero that a spreadsheet took away is put back, and a row written twice is one."""
    desk.file("communes.csv", COMMUNES + "01004;8201;01\n")
    atlas = desk.read(MAPPING)
    assert rows(atlas.geography.communes) == [
        ("01001", "8201", "01"),
        ("01004", "8201", "01"),
        ("08105", "4401", "08"),
        ("2A004", "9401", "2A"),
    ]
    assert (atlas.geography.year, atlas.geography.level) == ("2024", "zone")
    assert atlas.geography.tightness is None
    assert [(f.source, f.name, f.rows) for f in atlas.files] == [
        ("territories.communes", "communes.csv", 5)
    ]


def test_no_territories(desk: Desk) -> None:
    mapping = Mapping.model_validate(tomllib.loads(MAPPING.split("[territories]", maxsplit=1)[0]))
    spool = desk.path / "spool.csv"
    assert (
        read_territories(mapping, desk.path / "m.toml", spool=spool, scratch=desk.scratch) is None
    )


def test_communes_in_two_zones_and_communes_without(desk: Desk) -> None:
    desk.file("communes.csv", COMMUNES + "08105;8201;08\n2B001;;2B\n")
    message = desk.refused(MAPPING)
    assert "communes.csv, columns 'com' and 'ze' and 'dep'" in message
    assert "1 commune in several: 08105" in message
    assert "1 row without one of them" in message


def test_missing_reference(desk: Desk) -> None:
    (desk.path / "communes.csv").unlink()
    with pytest.raises(MappingError, match=r"territories\.communes\.files"):
        desk.read(MAPPING)


def test_references_are_read_as_strictly_as_sources(desk: Desk) -> None:
    desk.file("communes.csv", COMMUNES + "08106;4401\n")
    assert "3 fields in every row" in desk.refused(MAPPING)
    desk.file("communes.csv", COMMUNES.replace("ze", "zone"))
    assert "column 'ze'" in desk.refused(MAPPING)
    desk.file("communes.csv", COMMUNES[:-1])
    assert "the file may have been cut" in desk.refused(MAPPING)


# --- changes ---------------------------------------------------------------------------------


def known(atlas: Atlas) -> dict[object, object]:
    return {old: new for old, new in rows(atlas.known) if old != new}


def test_changes_are_followed_to_the_geography(desk: Desk) -> None:
    lines = [
        "1002;01999",  # 1002 became 01999, then 01998, then 01001
        "01999;01998",
        "01998;01001",
        "08200;08105",
        "08105;08999",  # still stands: not followed
        "03001;03002",  # leads out of the geography
        "08200;08105",
        "04001;04001",  # no change
    ]
    desk.file("changes.csv", "avant;apres\n" + "\n".join(lines) + "\n")
    atlas = desk.read(MAPPING + CHANGES)
    assert known(atlas) == {
        "01002": "01001", "01999": "01001", "01998": "01001", "08200": "08105",
    }  # fmt: skip
    assert len(rows(atlas.known)) == 8


def test_long_chains_end(desk: Desk) -> None:
    chain = [f"{90000 + n};{90001 + n}" for n in range(40)] + ["90040;08105"]
    desk.file("changes.csv", "avant;apres\n" + "\n".join(reversed(chain)) + "\n")
    assert set(known(desk.read(MAPPING + CHANGES)).values()) == {"08105"}


def test_circles_refuse(desk: Desk) -> None:
    desk.file("changes.csv", "avant;apres\n90001;90002\n90002;90003\n90003;90001\n08200;08105\n")
    assert "3 communes whose changes run in a circle: 90001, 90002, 90003" in desk.refused(
        MAPPING + CHANGES
    )


def test_splits_refuse_unless_all_paths_meet(desk: Desk) -> None:
    desk.file("changes.csv", "avant;apres\n90001;08105\n90001;01001\n90002;08105\n")
    assert "1 commune that became several: 90001" in desk.refused(MAPPING + CHANGES)
    desk.file("changes.csv", "avant;apres\n90001;90002\n90001;90003\n90002;08105\n90003;08105\n")
    assert known(desk.read(MAPPING + CHANGES))["90001"] == "08105"


def test_changes_that_run_backwards_refuse(desk: Desk) -> None:
    desk.file("changes.csv", "avant;apres\n08105;08200\n01001;01002\n")
    assert "none that ends in it" in desk.refused(MAPPING + CHANGES)


# --- places ----------------------------------------------------------------------------------


def test_places_come_to_the_geography(desk: Desk) -> None:
    desk.file("changes.csv", "avant;apres\n08200;08105\n")
    atlas = desk.read(MAPPING + CHANGES)
    places = desk.places(
        ("people", "1", "08105", 0, None),
        ("rsa", "1", "08200", JANUARY, JANUARY),
        ("rsa", "1", "08105", JANUARY, JANUARY),  # the same place, once both are of 2024
        ("rsa", "2", "99999", JANUARY, JANUARY),
        ("rsa", "3", "2A004", JANUARY, None),
    )
    here, ledger = in_geography(places, atlas, scratch=desk.scratch)
    assert rows(here) == [
        ("people", "1", "08105", 0, None),
        ("rsa", "1", "08105", JANUARY, JANUARY),
        ("rsa", "3", "2A004", JANUARY, None),
    ]
    (step,) = ledger.steps
    assert (step.unit, step.before, step.after) == ("places", 5, 3)
    assert dict(step.dropped) == {"unknown_commune": 1, "same_place": 1}


def test_a_source_of_unknown_communes_refuses_and_shows_only_what_many_share(desk: Desk) -> None:
    atlas = desk.read(MAPPING)
    many = [("rsa", str(n), "8105 ", 0, None) for n in range(11)]
    few = [("rsa", str(n), "secret", 0, None) for n in range(10)]
    sound = ("people", "1", "08105", 0, None)
    with pytest.raises(ProblemsError) as caught:
        in_geography(desk.places(sound, *many, *few), atlas, scratch=desk.scratch)
    (problem,) = caught.value.problems
    assert problem.what == "source 'rsa', column of 'place'"
    assert problem.found == "21 places, none of them known, among them '8105 '"


# --- tightness -------------------------------------------------------------------------------


def test_tightness(desk: Desk) -> None:
    lines = [
        "8201;2021-01;0,85",
        "8201;2021-02;",
        "4401;2021-01;1",
        "0000;2021-01;3",
        "4401;2021-01;1",
    ]
    desk.file("tension.csv", "ze;mois;tension\n" + "\n".join(lines) + "\n")
    atlas = desk.read(MAPPING + TIGHTNESS)
    assert atlas.geography.tightness is not None
    assert rows(atlas.geography.tightness) == [("4401", JANUARY, 1.0), ("8201", JANUARY, 0.85)]
    types = {name: str(kind) for name, kind in atlas.geography.tightness.schema().items()}
    assert types == {"place": "string", "month": "int32", "value": "float64"}
    (step,) = atlas.ledger.steps
    assert (step.name, step.before, step.after) == ("territories.tightness", 4, 2)
    assert dict(step.dropped) == {"blank_value": 1, "place_unknown": 1}
    assert len(atlas.tables) == 2


def test_tightness_of_departements(desk: Desk) -> None:
    desk.file("tension.csv", "ze;mois;tension\n08;2021-01;0,5\n")
    atlas = desk.read(MAPPING + TIGHTNESS + 'level = "departement"\n')
    assert atlas.geography.level == "departement"
    desk.file("tension.csv", "ze;mois;tension\n8;2021-01;0,5\n")
    assert "codes of a departement" in desk.refused(MAPPING + TIGHTNESS + 'level = "departement"\n')


def test_tightness_that_cannot_be_trusted(desk: Desk) -> None:
    lines = ["8201;2021-01;0,85", "8201;2021-01;0,86", "4401;2021/01;1", "4401;2021-01;1.5"]
    desk.file("tension.csv", "ze;mois;tension\n" + "\n".join(lines) + "\n")
    message = desk.refused(MAPPING + TIGHTNESS)
    assert "column 'mois': months written %Y-%m: 1 row otherwise" in message
    assert "column 'tension': numbers with the decimal mark ',', or nothing: 1 row" in message
    assert "1 month of a place with several" in message
