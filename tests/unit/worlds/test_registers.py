"""The raw files: the same bytes again, every announced habit, and nothing of the world lost."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from whatworks.errors import OptionError
from whatworks.months import to_index
from whatworks.sources.mapping import load
from whatworks.worlds import Departement, FiniteJobs, Pilots, simulate, write
from whatworks.worlds.programmes import WINDOW
from whatworks.worlds.registers import raw_files

SAMPLE = Path(__file__).parents[3] / "data" / "synthetic"
RAW = [
    "accompagnements.csv",
    *(f"caf_rsa_{year}.csv" for year in range(2019, 2024)),
    "contrats.csv",
    "personnes.csv",
    "sources.toml",
]
FIRST = to_index("2019-01")


@pytest.fixture(scope="module")
def world():
    return simulate()


def read(name: str, *, separator: str = ";", encoding: str = "utf-8") -> pd.DataFrame:
    return pd.read_csv(
        SAMPLE / name, sep=separator, encoding=encoding, dtype=str, keep_default_na=False
    )


@pytest.fixture(scope="module")
def contracts():
    return read("contrats.csv", separator=",")


@pytest.fixture(scope="module")
def stays():
    return read("accompagnements.csv", encoding="iso-8859-1")


@pytest.fixture(scope="module")
def rsa():
    return pd.concat([read(f"caf_rsa_{year}.csv") for year in range(2019, 2024)])


def test_committed_raw_files_are_regenerated_byte_for_byte(world, tmp_path):
    written = write(world, tmp_path / "again", truth_persons=0)
    assert sorted(path.name for path in written) == RAW
    for path in written:
        assert path.read_bytes() == (SAMPLE / path.name).read_bytes(), path.name


def test_committed_files_are_small_enough_to_read():
    sizes = [path.stat().st_size for path in SAMPLE.iterdir()]
    assert max(sizes) < 1_000_000
    assert sum(sizes) < 4_000_000


def test_committed_mapping_is_a_mapping():
    mapping, _ = load(SAMPLE / "sources.toml")
    assert set(mapping.sources) == {"persons", "rsa", "contracts", "accompaniments"}
    assert mapping.sources["accompaniments"].declared_by_operator


def month_of(dates: pd.Series, fmt: str) -> np.ndarray:
    parsed = pd.to_datetime(dates, format=fmt)
    return (12 * parsed.dt.year + parsed.dt.month - 1 - FIRST).to_numpy()


def test_contracts_say_who_worked_in_which_month(world, contracts):
    rows = contracts.drop_duplicates()
    rows = rows.assign(end=rows["FinCTT"].where(rows["FinCTT"] != "", "2030-12-31"))
    rows = rows[rows["end"] >= rows["DebutCTT"]]
    length = (pd.to_datetime(rows["end"]) - pd.to_datetime(rows["DebutCTT"])).dt.days + 1
    ordinary = rows["Nature"].isin(["01", "02", "03"])
    lasting = (rows["Nature"] == "01") | ((rows["Nature"] == "02") & (length >= 183))
    person = rows["IdIndividu"].astype(int).to_numpy() - 1
    first = np.clip(month_of(rows["DebutCTT"], "%Y-%m-%d"), 0, None)
    last = np.clip(month_of(rows["end"], "%Y-%m-%d"), None, WINDOW - 1)
    for chosen, expected in ((ordinary, "employed"), (lasting, "durable")):
        seen = np.zeros((WINDOW, 2_400), dtype=bool)
        for i in np.flatnonzero(chosen):
            seen[first[i] : last[i] + 1, person[i]] = True
        assert np.array_equal(seen, getattr(world.pathways, expected))


def test_a_programme_s_own_contract_lasts_the_stay(contracts, stays):
    own = contracts[contracts["Nature"].isin(["41", "71"])].drop_duplicates()
    own = own[own["FinCTT"] >= own["DebutCTT"]]
    held = stays.drop_duplicates().query("DISPOSITIF in ('CAI', 'IAE')")
    both = held.merge(own, left_on="NO_DOSSIER", right_on="IdIndividu", validate="1:1")
    assert len(both) == len(held) == len(own)
    start = pd.to_datetime(both["DATE_DEBUT"], format="%d/%m/%Y")
    assert (start == pd.to_datetime(both["DebutCTT"])).all()
    closed = both[both["DATE_FIN"] != "31/12/2099"]
    after = pd.to_datetime(closed["DATE_FIN"], format="%d/%m/%Y")
    assert (after - pd.to_datetime(closed["FinCTT"]) == pd.Timedelta(days=1)).all()


def test_rsa_extracts_say_who_was_paid_in_which_month(world, rsa):
    paid = rsa[rsa["ETATDOSRSA"] == "2"]
    seen = np.zeros((WINDOW, 2_400), dtype=int)
    np.add.at(seen, (month_of(paid["DTREF"], "%d/%m/%Y"), paid["MATRICULE"].astype(int) - 1), 1)
    assert np.array_equal(seen == 1, world.pathways.rsa)
    assert seen.max() == 1


def test_accompaniments_say_who_entered_when(world, stays):
    rows = stays.drop_duplicates()
    person = rows["NO_DOSSIER"].astype(int).to_numpy() - 1
    assert np.array_equal(np.flatnonzero(world.pathways.entry >= 0), person)
    assert np.array_equal(month_of(rows["DATE_DEBUT"], "%d/%m/%Y"), world.pathways.entry[person])
    assert rows["DISPOSITIF"].value_counts().between(100, 140).all()
    assert rows["DISPOSITIF"].nunique() == 6


def test_each_file_has_its_habits(contracts, stays, rsa):
    assert set(rsa["ETATDOSRSA"]) == {"2", "4", "5"}
    assert rsa["MTTOTDRORSA"].str.fullmatch(r"\d+,\d\d").all()
    assert (rsa.loc[rsa["ETATDOSRSA"] != "2", "MTTOTDRORSA"] == "0,00").all()
    assert (stays["DATE_FIN"] == "31/12/2099").sum() >= 5
    assert stays["LIBELLE"].str.contains("é").any()
    with pytest.raises(UnicodeDecodeError):
        (SAMPLE / "accompagnements.csv").read_bytes().decode("utf-8")
    assert (stays["NB_ENTRETIENS"].astype(int) >= 1).all()
    assert (contracts["FinCTT"] == "").sum() > 100
    assert contracts["IdIndividu"].str.startswith("0").all()
    assert (contracts["DebutCTT"] < "2019-01-01").any()


def test_errors_are_there_and_rare(contracts, stays):
    repeated, reversed_ = contracts.duplicated(), contracts["FinCTT"] < contracts["DebutCTT"]
    reversed_ &= contracts["FinCTT"] != ""
    assert repeated.sum() >= 2
    assert reversed_.sum() >= 2
    assert (repeated | reversed_).mean() < 0.003
    assert 2 <= stays.duplicated().sum() < 0.003 * len(stays)


def test_contracts_overlap_within_and_across_kinds(contracts):
    rows = contracts.drop_duplicates()
    rows = rows.assign(end=rows["FinCTT"].where(rows["FinCTT"] != "", "9999-12-31"))
    rows = rows[rows["end"] >= rows["DebutCTT"]]
    pairs = rows.merge(rows, on="IdIndividu")
    pairs = pairs[pairs["Contrat_x"] != pairs["Contrat_y"]]
    overlap = (pairs["DebutCTT_x"] <= pairs["end_y"]) & (pairs["DebutCTT_y"] <= pairs["end_x"])
    same = pairs["Nature_x"] == pairs["Nature_y"]
    assert (overlap & same).sum() > 10
    assert (overlap & ~same).sum() > 100


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("contrats.csv", ["IdIndividu", "DebutCTT"]),
        ("personnes.csv", ["ID"]),
        ("accompagnements.csv", ["NO_DOSSIER"]),
    ],
)
def test_files_are_sorted_by_person_then_date(name, keys):
    separator, encoding = ("," if name == "contrats.csv" else ";"), "iso-8859-1"
    rows = read(name, separator=separator, encoding=encoding)
    pd.testing.assert_frame_equal(rows, rows.sort_values(keys, kind="stable"))


def test_fields_need_no_quotes():
    for file in raw_files(simulate(Departement(n_persons=300))):
        rows = list(csv.reader(io.StringIO(file.text()), delimiter=file.separator))
        assert {len(row) for row in rows} == {len(file.header)}
        assert '"' not in file.text()


def test_writing_again_keeps_other_files_and_drops_years_out_of_the_window(tmp_path):
    small = Departement(n_persons=50)
    write(simulate(small), tmp_path / "w", truth_persons=0)
    (tmp_path / "w" / "study.toml").write_text("kept")
    later = Departement(n_persons=50, first="2020-01")
    write(simulate(later), tmp_path / "w", truth_persons=0)
    names = {path.name for path in (tmp_path / "w").iterdir()}
    assert {"study.toml", "caf_rsa_2024.csv"} <= names
    assert "caf_rsa_2019.csv" not in names
    assert [path.name for path in tmp_path.iterdir()] == ["w"]


def test_an_interrupted_writing_leaves_what_was_there(tmp_path):
    write(simulate(Departement(n_persons=50)), tmp_path / "w", truth_persons=0)
    before = {path.name: path.read_bytes() for path in (tmp_path / "w").iterdir()}

    def interrupt(step: str) -> None:
        if step == "caf_rsa_2021.csv":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(simulate(Departement(n_persons=60)), tmp_path / "w", progress=interrupt)
    assert {path.name: path.read_bytes() for path in (tmp_path / "w").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["w"]


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OptionError, match="holds a world"):
        write(simulate(Departement(n_persons=50)), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_truth_is_written_beside_the_files_and_progress_is_told(tmp_path):
    steps: list[str] = []
    world = simulate(Departement(n_persons=50))
    written = write(world, tmp_path / "w", truth_persons=100_000, progress=steps.append)
    assert "truth.json" in {path.name for path in written}
    assert steps[0] == "personnes.csv"
    assert steps[-1] == "truth: block 2 of 2"


def test_the_truth_of_a_former_world_does_not_stay(tmp_path):
    folder = tmp_path / "w"
    write(simulate(Departement(n_persons=50)), folder, truth_persons=100_000)
    assert (folder / "truth.json").is_file()
    write(simulate(Departement(n_persons=50, seed=7)), folder, truth_persons=0)
    assert not (folder / "truth.json").exists()
    assert (folder / "sources.toml").is_file()


@pytest.mark.parametrize("place", ["file/world", "file/deeper/world"])
def test_a_folder_below_a_file_is_an_option_error(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OptionError, match=rf"{place}.* found (not a directory|file exists)"):
        write(simulate(Departement(n_persons=50)), tmp_path / place, truth_persons=0)
    assert (tmp_path / "file").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_may_not_be_written_is_an_option_error(tmp_path, monkeypatch):
    def closed(self: Path, *args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", closed)  # root would be let through by the system
    with pytest.raises(OptionError, match=r"'.*w': needed .* found permission denied"):
        write(simulate(Departement(n_persons=50)), tmp_path / "w", truth_persons=0)


def test_a_full_disk_leaves_nothing_beside(tmp_path, monkeypatch):
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OptionError, match="found no space left on device"):
        write(simulate(Departement(n_persons=50)), tmp_path / "w", truth_persons=0)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_one_is_in_can_be_named(tmp_path, monkeypatch):
    (tmp_path / "w").mkdir()
    monkeypatch.chdir(tmp_path / "w")
    write(simulate(Departement(n_persons=50)), ".", truth_persons=0)
    assert (tmp_path / "w" / "sources.toml").is_file()


@pytest.mark.parametrize("options", [Departement, FiniteJobs, Pilots])
def test_a_negative_seed_is_an_option_error(options):
    with pytest.raises(OptionError, match="seed: needed at least 0; found -1"):
        options(seed=-1)
