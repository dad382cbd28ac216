"""Persons linked by NIR and keys, and what leaves the room."""

from __future__ import annotations

import hashlib
import hmac
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import ibis
import pandas as pd
import pytest

import hand
from identities import clusters, known, marks, who
from whatworks.errors import OptionError, RefusedError, SourceRefused
from whatworks.sources.mapping.people import Linkage
from whatworks.sources.records import Acquaintance, Records
from whatworks.spells.link import link, linked, score
from whatworks.spells.linking.secret import Secret, read_secret

SECRET = "correct horse battery staple"  # noqa: S105 - of these tests only
VARIABLE = "WHATWORKS_TEST_SECRET"
CERTAIN = Linkage(secret_env=VARIABLE, probabilistic=False)
MARIE = "255081416802538"
MARC = "184122A45108933"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, SECRET)


def same(identities: list[dict[str, object]], linkage: Linkage = CERTAIN) -> list[set[str]]:
    persons = [str(row["person_id"]) for row in identities]
    records = known(identities, measures=marks(persons))
    return clusters(records, link(records, linkage=linkage), persons)


def dropped(records: Records, step: str) -> dict[str, int]:
    (found,) = [s for s in records.ledger.steps if s.room == "spells" and s.name == step]
    return dict(found.dropped)


# --- NIR --------------------------------------------------------------------------------


def test_a_nir_in_common_makes_one_person_however_it_is_written() -> None:
    assert same(
        [
            who("caf:1", nir="2 55 08 14 168 025 38", birth_name="Petit"),
            who("ft:8", nir="2550814168025", birth_name="Grand"),
            who("ft:9", nir=MARC),
        ]
    ) == [{"caf:1", "ft:8"}, {"ft:9"}]


def test_a_nir_that_two_persons_of_a_space_share_links_nobody() -> None:
    rows = [who("caf:1", nir=MARIE), who("caf:2", nir=MARIE), who("ft:8", nir=MARIE)]
    linked = link(known(rows), linkage=CERTAIN)
    assert linked.persons.count().execute() == 3
    assert dropped(linked, "link_nir") == {"key_shared": 3}


def test_nirs_that_do_not_count_are_counted_by_reason() -> None:
    rows = [
        who("caf:1", nir="255081416802539"),
        who("caf:2", nir=MARIE, sex="M"),
        who("caf:3", nir=MARIE, birth_date="1956-08-17"),
        who("ft:8", nir=MARIE),
        who("ft:9", nir="7550814168025"),
    ]
    linked = link(known(rows), linkage=CERTAIN)
    assert linked.persons.count().execute() == 5
    (step,) = [s for s in linked.ledger.steps if s.name == "nir"]
    assert (step.before, step.after) == (5, 1)
    assert dropped(linked, "nir") == {
        "nir_key": 1,
        "nir_sex_disagrees": 1,
        "nir_birth_disagrees": 1,
        "nir_temporary": 1,
    }


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_hashes_in_place_of_nirs_are_refused(algorithm: str) -> None:
    hashed = hashlib.new(algorithm, MARIE.encode()).hexdigest()
    rows = [who("caf:1", nir=hashed), who("caf:2", nir=MARC), who("ft:8", nir=MARIE)]
    with pytest.raises(SourceRefused, match=r"identity\.nir of caf.*keyed hashes.*keys") as refusal:
        link(known(rows), linkage=CERTAIN)
    assert hashed not in str(refusal.value)


# --- keys -------------------------------------------------------------------------------


def test_a_key_is_an_identifier_of_another_system_with_the_birth_date() -> None:
    keyed = CERTAIN.model_copy(update={"keys": (("caf", "birth_date"),)})
    assert same(
        [
            who("caf:0012345", birth_date="1980-05-02"),
            who("caf:777", birth_date="1981-05-02"),
            who("ft:1", key_caf=" 12345", birth_date="1980-05-02"),
            who("ft:2", key_caf="777", birth_date="1990-05-02"),
            who("ft:3", key_caf="777"),
        ],
        keyed,
    ) == [{"caf:0012345", "ft:1"}, {"caf:777"}, {"ft:2"}, {"ft:3"}]


def test_two_systems_that_hold_the_key_of_a_third_meet_through_it() -> None:
    keyed = CERTAIN.model_copy(update={"keys": (("caf",),)})
    rows = [who("ft:1", key_caf="5"), who("siae:9", key_caf="5"), who("siae:10", key_caf="6")]
    assert same(rows, keyed) == [{"ft:1", "siae:9"}, {"siae:10"}]


def test_the_nir_comes_before_keys_and_nobody_is_two_persons_of_a_space() -> None:
    keyed = CERTAIN.model_copy(update={"keys": (("email",),)})
    rows = [
        who("caf:1", nir=MARIE, email="x@example.org"),
        who("ft:1", nir=MARIE),
        who("ft:2", email="X@example.org"),
    ]
    records = known(rows)
    linked = link(records, linkage=keyed)
    assert linked.persons.count().execute() == 2
    assert dropped(linked, "link_pairs") == {"other_person": 1}
    assert linked.linked is not None
    methods = linked.linked.links.execute().set_index("space")["method"]
    assert methods["caf"] == "nir"
    assert sorted(methods["ft"]) == ["alone", "nir"]


def test_a_key_made_of_something_unknown_is_refused_with_the_nearest() -> None:
    keyed = CERTAIN.model_copy(update={"keys": (("birthdate",),)})
    with pytest.raises(OptionError, match="write 'birth_date'"):
        link(known([who("caf:1"), who("ft:1")]), linkage=keyed)


def test_links_that_the_rest_contradicts_lower_the_probability_of_their_key() -> None:
    keyed = CERTAIN.model_copy(update={"keys": (("caf",),)})
    told = {"birth_name": "Petit", "first_names": "Anne", "birth_date": "1980-01-02", "sex": "F"}
    other = {"birth_name": "Roux", "first_names": "Victor", "birth_date": "1991-05-06", "sex": "M"}
    rows = [who(f"caf:{k}", **told) for k in range(1, 5)]
    rows += [who(f"ft:{k}", key_caf=str(k), **(other if k == 4 else told)) for k in range(1, 5)]
    linked = link(known(rows), linkage=keyed).linked
    assert linked is not None
    assert set(linked.links.execute()["probability"]) == {0.75}


# --- what leaves the room ---------------------------------------------------------------


def whole() -> Records:
    spell = hand.spell("caf:1", "accompaniment", "job_search", "2020-02-01", "2020-04-30")
    return known(
        [
            who("caf:1", nir=MARIE, birth_name="Petitjean", birth_date="1955-08-17", sex="F"),
            who("ft:8", nir=MARIE, email="petitjean@example.org"),
            who("ft:9", birth_name="Dupond"),
        ],
        episodes=[spell],
        states=[("s", "ft:8", "benefit", "rsa", 24241), ("s", "ft:9", "benefit", "rsa", 24241)],
        measures=[("s", "ft:8", "earnings", 24241, 100.0)],
        blind=[("s", "caf:1", "benefit", 24242)],
        places=[("s", "ft:8", "08105", 24241, None)],
        attributes={"diploma": ("category", ["none", None, "bac"]), "age": ("number", [4, 5, 6])},
    )


def test_every_table_names_the_linked_person() -> None:
    linked = link(whole(), linkage=CERTAIN)
    marie = hmac.new(SECRET.encode(), b"person:caf:1", hashlib.sha256).hexdigest()[:32]
    other = hmac.new(SECRET.encode(), b"person:ft:9", hashlib.sha256).hexdigest()[:32]
    persons = linked.persons.execute().set_index("person_id")
    assert set(persons.index) == {marie, other}
    assert persons.loc[marie].to_dict() == {"diploma": "none", "age": 4}
    assert list(linked.episodes.execute()["person_id"]) == [marie]
    assert set(linked.states.execute()["person_id"]) == {marie, other}
    for table in (linked.measures, linked.blind, linked.places):
        assert table is not None
        assert list(table.execute()["person_id"]) == [marie]
    assert linked.identities is None
    assert dropped(linked, "link") == {"merged": 1}
    assert dropped(linked, "link_values") == {"disagree": 1}


def test_nothing_that_leaves_says_who_anyone_is() -> None:
    linked = link(whole(), linkage=CERTAIN)
    assert linked.linked is not None
    tables = [
        linked.persons, linked.episodes, linked.states, linked.measures, linked.blind,
        linked.places, linked.linked.links,
    ]  # fmt: skip
    written = " ".join(t.execute().to_csv() for t in tables if t is not None)
    written += linked.linked.rates.to_csv() + linked.ledger.frame().to_csv() + repr(linked.linkage)
    for secret in ("caf:", "ft:", MARIE, MARIE[:13], "petit", "Petit", "dupond", SECRET):
        assert secret not in written


def test_the_same_inputs_and_secret_give_the_same_names_and_another_secret_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def names() -> set[str]:
        return set(link(whole(), linkage=CERTAIN).persons.execute()["person_id"])

    first = names()
    assert names() == first
    monkeypatch.setenv(VARIABLE, "another secret of some length")
    assert names().isdisjoint(first)


def test_the_records_linked_are_left_as_they_were() -> None:
    records = whole()
    link(records, linkage=CERTAIN)
    assert records.identities is not None
    assert set(records.persons.execute()["person_id"]) == {"caf:1", "ft:8", "ft:9"}


def test_persons_no_source_of_the_study_knows_are_left_behind_and_counted() -> None:
    records = replace(
        whole(),
        acquaintance=Acquaintance(
            spaces={"s": "caf"}, givers=frozenset({"caf"}), lenient=frozenset()
        ),
    )
    linked = link(records, linkage=CERTAIN)
    assert linked.persons.count().execute() == 1
    assert linked.states.count().execute() == 1
    assert dropped(linked, "link_study") == {"person_unknown": 1}
    assert dropped(linked, "link_s") == {"person_unknown": 1}


def test_a_source_whose_rows_are_all_about_others_is_refused() -> None:
    known_only = Acquaintance(spaces={}, givers=frozenset({"ft"}), lenient=frozenset())
    rows = [who("caf:1"), who("ft:8")]
    spell = hand.spell("caf:1", "benefit", "rsa", "2020-02-01", None)
    records = replace(known(rows, episodes=[spell]), acquaintance=known_only)
    with pytest.raises(SourceRefused, match=r"source 's' once persons are linked.*none among 1"):
        link(records, linkage=CERTAIN)


def test_rates_by_space_characteristic_and_arm_with_small_groups_hidden() -> None:
    number = [f"2550814168{k:03d}" for k in range(1, 31)]
    rows = [who(f"caf:{k}", nir=number[k], sex="F") for k in range(20)]
    rows += [who(f"ft:{k}", nir=number[k]) for k in range(15)]
    spells = [
        hand.spell(f"caf:{k}", "accompaniment", "job_search", "2020-02-01", None)
        for k in range(4, 16)
    ]
    linked = link(known(rows, episodes=spells), linkage=CERTAIN).linked
    assert linked is not None
    rates = linked.rates.set_index(["by", "group"])
    assert rates.loc[("all", "")].tolist() == [20, 15, 0.75, 0.0]
    assert rates.loc[("space", "caf")].tolist() == [20, 15, 0.75, 0.0]
    assert rates.loc[("space", "ft")].tolist() == [15, 15, 1.0, 0.0]
    assert rates.loc[("sex", "F")].tolist() == [20, 15, 0.75, 0.0]
    # 12 persons accompanied, of whom 4..14 are linked; 8 never were: too few to show.
    assert rates.loc[("arm", "job_search")].tolist() == [12, 11, 11 / 12, 0.0]
    assert rates.loc[("arm", "none")].isna().all()


# --- refusals and secrets ---------------------------------------------------------------


def test_records_without_identities_or_of_one_space_are_refused() -> None:
    with pytest.raises(OptionError, match="the table 'identity' of a source"):
        link(hand.records(["a"]), linkage=CERTAIN)
    with pytest.raises(RefusedError, match="two spaces at least"):
        link(known([who("caf:1"), who("caf:2")]), linkage=CERTAIN)
    linked = link(whole(), linkage=CERTAIN)
    with pytest.raises(OptionError, match="records linked already"):
        link(linked, linkage=CERTAIN)


@pytest.mark.parametrize("threshold", [0.5, 1.0, 0.0, float("nan")])
def test_a_threshold_is_a_probability_above_one_half(threshold: float) -> None:
    with pytest.raises(OptionError, match=r"between 0\.5 and 1"):
        link(whole(), linkage=CERTAIN, threshold=threshold)


def test_without_splink_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "splink", None)
    told = {"birth_name": "Petit", "first_names": "Anne", "birth_date": "1980-01-02"}
    with pytest.raises(OptionError, match=r"pip install 'whatworks\[link\]'"):
        link(
            known([who("caf:1", **told), who("ft:1", **told)]),
            linkage=Linkage(secret_env=VARIABLE),
        )


def test_without_names_no_probability_is_given() -> None:
    with pytest.raises(RefusedError, match="family_name, first_name, birth_date"):
        link(
            known([who("caf:1"), who("ft:1")]),
            linkage=Linkage(secret_env=VARIABLE),
        )


def test_no_secret_no_linkage(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RefusedError, match="write secret_env"):
        link(whole(), linkage=Linkage(probabilistic=False))
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(RefusedError, match=r"WHATWORKS_TEST_SECRET.*unset"):
        link(whole(), linkage=CERTAIN)
    monkeypatch.setenv(VARIABLE, "fifteen charact")
    with pytest.raises(RefusedError, match="15 bytes") as refusal:
        link(whole(), linkage=CERTAIN)
    assert "fifteen" not in str(refusal.value)


def test_a_secret_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    path.chmod(0o644)
    with pytest.raises(RefusedError, match="chmod 600"):
        read_secret(Linkage(secret_file=str(path)))
    path.chmod(0o600)
    assert read_secret(Linkage(secret_file=str(path))).pads() == Secret(SECRET.encode()).pads()
    with pytest.raises(RefusedError, match="no such file"):
        read_secret(Linkage(secret_file=str(tmp_path / "absent")))


def test_a_secret_is_not_shown_nor_copied() -> None:
    secret = Secret(SECRET.encode())
    assert SECRET not in repr(secret) + str(secret) + f"{secret}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_no_local_of_a_failing_linkage_holds_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, SECRET)
    rows = [who("caf:1", nir="0" * 64), who("ft:8", nir=MARIE)]
    with pytest.raises(SourceRefused) as refusal:
        link(known(rows), linkage=CERTAIN)
    frame = refusal.value.__traceback__
    while frame is not None:
        if "whatworks" in frame.tb_frame.f_code.co_filename:
            assert SECRET not in repr(frame.tb_frame.f_locals)
        frame = frame.tb_next


def test_a_secret_longer_than_a_block_is_hashed_first() -> None:
    key = b"k" * 100
    con = ibis.duckdb.connect()
    outer, inner = Secret(key).pads()
    ((told,),) = con.con.execute(
        "SELECT sha256(?::BLOB || unhex(sha256(?::BLOB || encode('person:1'))))", [outer, inner]
    ).fetchall()
    assert told == hmac.new(key, b"person:1", hashlib.sha256).hexdigest()


def test_scored_pairs_hold_no_identity() -> None:
    scored = score(whole(), linkage=CERTAIN)
    tables: list[pd.DataFrame] = [
        t.execute() for t in (scored.people.drop("person_id"), scored.certain, scored.probable)
    ]
    written = " ".join(t.to_csv() for t in tables)
    for secret in (MARIE[:13], "petit", "dupond"):
        assert secret not in written


def test_the_engine_forgets_who_was_called_how() -> None:
    """Nothing beside the records handed in holds an identifier of a file, once they are linked."""
    records = replace(whole(), linkage=CERTAIN)
    con = records.connection

    def told() -> str:
        names = [n for (n,) in con.con.execute("select table_name from duckdb_tables()").fetchall()]
        return " ".join(con.con.table(name).df().to_csv() for name in names)

    before = told()
    assert "caf:1" in before
    link(records)
    assert told().count("caf:1") == before.count("caf:1")
    made = linked(records)
    assert "caf:1" not in told()
    assert "petit" not in told().lower()
    assert made.persons.count().execute() == 2
    assert made.linked is not None
    assert made.linked.links.count().execute() == 3
