"""The command line as its users meet it: help that teaches, exit codes, nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest

from whatworks.sources import read

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "synthetic"


def whatworks(
    *words: str | Path, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "whatworks.cli", *map(str, words)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A copy of the sample département with one question only."""
    folder = tmp_path / "study"
    shutil.copytree(SAMPLE, folder)
    text = (folder / "study.toml").read_text(encoding="utf-8")
    head, *questions = text.split("[[questions]]")
    (folder / "study.toml").write_text(head + "[[questions]]" + questions[-1], encoding="utf-8")
    return folder / "study.toml"


def test_help_teaches_the_way_in() -> None:
    shown = whatworks("--help")
    assert shown.returncode == 0
    commands = ("demo", "simulate", "run", "check", "indicators", "schema", "templates", "build")
    commands += ("power", "assign", "late-arrivals", "verify-assignment")
    for word in (*commands, "Exit codes"):
        assert word in shown.stdout


def test_a_study_becomes_a_report_with_the_same_numbers_everywhere(
    study: Path, tmp_path: Path
) -> None:
    shown = whatworks("run", study, "--out", tmp_path / "out")
    assert shown.returncode == 0, shown.stderr
    page = Path(shown.stdout.split("Report: ")[1].strip())
    assert page.is_file()
    folder = tmp_path / "out" / "intensive-integrated"
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest
    parquet = pd.read_parquet(folder / "effects.parquet")
    table = pd.read_csv(folder / "effects.csv", sep=";", decimal=",", encoding="utf-8-sig")
    pd.testing.assert_series_equal(parquet["estimate"], table["estimate"], check_dtype=False)
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert "interviews_held" not in json.dumps(parquet.to_dict("list"))
    assert "déplacement" in text
    for identifier in pd.read_csv(SAMPLE / "personnes.csv", sep=";", dtype=str)["ID"].head(50):
        assert identifier not in text


def test_check_says_what_the_sources_can_carry() -> None:
    shown = whatworks("check", SAMPLE / "sources.toml")
    assert shown.returncode == 0, shown.stderr
    assert "employment_presence" in shown.stdout
    assert "published" in shown.stdout


@pytest.mark.parametrize(
    ("file", "old", "new", "code", "words"),
    [
        ("study.toml", "treatment =", "treatmant =", 2, ["treatmant", "treatment"]),
        ("study.toml", "ratio = 3", "ratios = 3", 2, ["ratios", "ratio"]),
        ("study.toml", '"nearest_neighbours"', '"nearest"', 2, ["nearest_neighbours"]),
        (
            "study.toml",
            '"intensive_integrated"',
            '"intensif"',
            2,
            ["intensif", "intensive_integrated"],
        ),
        (
            "study.toml",
            '"employment_presence"',
            '"interviews_held"',
            3,
            ["activity", "employment_presence"],
        ),
        ("study.toml", "[6, 12, 18, 24]", "[6, 12, 240]", 3, ["follow-up"]),
        ("study.toml", "schema = 1", "schema = ", 2, ["TOML"]),
        ("sources.toml", "layout =", "layuot =", 2, ["layuot", "layout"]),
        ("sources.toml", '"personnes.csv"', '"personne.csv"', 2, ["personne.csv"]),
        ("sources.toml", '"%d/%m/%Y"', '"%Y-%m-%d"', 3, ["caf_rsa_2019.csv", "DTREF"]),
        ("sources.toml", '"Nature"', '"Natrue"', 3, ["contrats.csv", "Natrue", "Nature"]),
        ("contrats.csv", "Nature", "Natur", 3, ["contrats.csv", "Nature"]),
        ("personnes.csv", "\n", "\n\udcff", 3, ["personnes.csv", "utf-8"]),
    ],
)
def test_a_mistake_ends_in_a_sentence_and_writes_nothing(
    study: Path, tmp_path: Path, file: str, old: str, new: str, code: int, words: list[str]
) -> None:
    target = study.parent / file
    text = target.read_bytes().decode("utf-8", errors="surrogateescape")
    assert old in text
    target.write_bytes(text.replace(old, new, 1).encode("utf-8", errors="surrogateescape"))
    shown = whatworks("run", study, "--out", tmp_path / "out")
    said = " ".join((shown.stdout + shown.stderr).split())
    assert shown.returncode == code, said
    assert "Traceback" not in said
    assert "to do:" in said
    for word in words:
        assert word in said
    assert not (tmp_path / "out").exists()
    assert not [p for p in tmp_path.iterdir() if p.name != "study"]
    identifiers = pd.read_csv(SAMPLE / "personnes.csv", sep=";", dtype=str)["ID"].head(200)
    assert not [i for i in identifiers if i in said]


def test_a_file_cut_in_the_middle_is_refused(study: Path, tmp_path: Path) -> None:
    target = study.parent / "contrats.csv"
    whole = target.read_bytes()
    for cut in (len(whole) // 2, len(whole) - 1):
        target.write_bytes(whole[:cut])
        shown = whatworks("run", study, "--out", tmp_path / "out")
        assert shown.returncode == 3, shown.stderr
        assert "contrats.csv" in shown.stderr
        assert not (tmp_path / "out").exists()


def test_an_unreadable_language_is_a_usage_error(study: Path, tmp_path: Path) -> None:
    shown = whatworks("run", study, "--out", tmp_path / "out", "--lang", "de")
    assert shown.returncode == 2
    assert "fr, en" in shown.stderr


def test_simulate_writes_a_world_that_can_be_read(tmp_path: Path) -> None:
    shown = whatworks("simulate", tmp_path / "world", "--persons", "300", "--no-truth")
    assert shown.returncode == 0, shown.stderr
    assert whatworks("check", tmp_path / "world" / "sources.toml").returncode == 0
    refused = whatworks("simulate", tmp_path, "--persons", "300", "--no-truth")
    assert refused.returncode == 2


def test_version() -> None:
    shown = whatworks("--version")
    assert (shown.returncode, shown.stdout.strip()) == (0, f"whatworks {version('whatworks')}")


def test_check_says_what_each_source_lost_and_cuts_no_word() -> None:
    shown = whatworks("check", SAMPLE / "sources.toml", COLUMNS="60", PYTHONIOENCODING="utf-8")
    assert shown.returncode == 0, shown.stderr
    rows = [line.split() for line in shown.stdout.split("Fields")[0].splitlines()]
    lost = {row[0]: row[-1] for row in rows if row and row[-1].endswith("%")}
    ledger = read(SAMPLE / "sources.toml").ledger
    expected = {
        step.name: f"{1 - step.after / step.before:.1%}"
        for step in ledger.steps
        if step.unit == "rows"
    }
    assert lost.items() >= expected.items()
    assert "…" not in shown.stdout


def test_check_of_persons_alone_is_a_sentence(tmp_path: Path) -> None:
    shutil.copy(SAMPLE / "personnes.csv", tmp_path)
    head, _, rest = (
        (SAMPLE / "sources.toml").read_text(encoding="utf-8").partition("[sources.persons")
    )
    persons = "[sources.persons" + rest.partition("[sources.rsa")[0]
    (tmp_path / "sources.toml").write_text(head + persons, encoding="utf-8")
    shown = whatworks("check", tmp_path / "sources.toml")
    assert shown.returncode == 2, shown.stderr
    assert "Traceback" not in shown.stderr
    assert "MappingError" in shown.stderr
    assert "sources of persons only" in shown.stderr


def test_a_terminal_without_accents_shows_marks_in_their_place(tmp_path: Path) -> None:
    shown = whatworks("check", tmp_path / "étude.toml", PYTHONIOENCODING="ascii:strict")
    assert shown.returncode == 2
    assert "Traceback" not in shown.stderr
    assert "?tude.toml" in shown.stderr
    taught = whatworks("--help", PYTHONIOENCODING="ascii:strict")
    assert taught.returncode == 0, taught.stderr
    assert "d?partement" in taught.stdout


def test_run_says_its_steps_on_the_side(study: Path, tmp_path: Path) -> None:
    shown = whatworks("run", study, "--out", tmp_path / "[out]", PYTHONIOENCODING="utf-8")
    assert shown.returncode == 0, shown.stderr
    assert "· question intensive-integrated" in shown.stderr
    assert shown.stdout.strip().startswith("Report: ")
    assert len(shown.stdout.strip().splitlines()) == 1
    assert Path(shown.stdout.split("Report: ")[1].strip()).is_file()


@pytest.mark.parametrize("command", ["run", "demo"])
@pytest.mark.parametrize("place", ["afile/out", "afile", "foreign"])
def test_a_folder_that_may_not_be_written_is_refused_before_anything_is_read(
    study: Path, tmp_path: Path, command: str, place: str
) -> None:
    (tmp_path / "afile").write_text("mine", encoding="utf-8")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").write_text("mine", encoding="utf-8")
    words = ("run", study) if command == "run" else ("demo",)
    shown = whatworks(*words, "--out", tmp_path / place)
    assert shown.returncode == 2, shown.stderr
    assert "Traceback" not in shown.stderr
    assert "OptionError" in shown.stderr
    assert "reading" not in shown.stderr
    assert (tmp_path / "afile").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("words", [("afile/world",), ("world", "--seed", "-1")])
def test_simulate_of_what_cannot_be_is_a_usage_error(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "afile").write_text("mine", encoding="utf-8")
    shown = whatworks("simulate", *words, "--persons", "100", "--no-truth", cwd=tmp_path)
    assert shown.returncode == 2
    assert "Traceback" not in shown.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["afile"]


WAIVER = """
schema = 1
[[waivers]]
criterion = "months_unseen"
by = "Camille Martin"
on = 2026-03-02
why = "the first files are being sent again"
"""


@pytest.fixture
def short_contracts(tmp_path: Path) -> Path:
    """The sample, its contracts seen from 2021 only: 40 % of the window unseen."""
    folder = tmp_path / "sample"
    shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns("sources"))
    text = (folder / "sources.toml").read_text(encoding="utf-8")
    head, contracts, rest = text.partition("[sources.contracts]")
    rest = rest.replace('coverage = ["2019-01"', 'coverage = ["2021-01"', 1)
    (folder / "sources.toml").write_text(head + contracts + rest, encoding="utf-8")
    return folder / "sources.toml"


def test_check_as_json_prints_json_and_nothing_else() -> None:
    shown = whatworks("check", SAMPLE / "sources.toml", "--json", PYTHONIOENCODING="ascii:strict")
    assert shown.returncode == 0, shown.stderr
    found = json.loads(shown.stdout)
    verdicts = {o["indicator"]: o["verdict"] for o in found["outcomes"]}
    assert verdicts["employment_presence"] == "published"
    assert verdicts["ed_siae"] == "refused"
    refused = next(o for o in found["outcomes"] if o["indicator"] == "ed_siae")["refusals"][0]
    assert {"what", "where", "found", "needed", "to_do", "waivable"} <= set(refused)
    assert found["gate"]["months_unseen"] == {"reserve": 0.01, "refuse": 0.1}
    assert {f["sensitivity"] for f in found["fields"]} == {"ordinary"}
    identifiers = pd.read_csv(SAMPLE / "personnes.csv", sep=";", dtype=str)["ID"].head(200)
    assert not [i for i in identifiers if i in shown.stdout]


def test_check_prints_refusals_in_full_sentences_and_a_waiver_with_its_name(
    short_contracts: Path, tmp_path: Path
) -> None:
    refused = whatworks("check", short_contracts, PYTHONIOENCODING="utf-8")
    assert refused.returncode == 0, refused.stderr
    sentence = next(s for s in refused.stdout.splitlines() if s.startswith("× Présence en emploi"))
    for words in (
        "contrats, janvier 2019 à décembre 2023",
        "40,0",
        "Raccourcir",
        "personne nommée",
    ):
        assert words in sentence
    (tmp_path / "gate.toml").write_text(WAIVER, encoding="utf-8")
    gate = ("--gate", tmp_path / "gate.toml", "--lang", "en")
    waived = whatworks("check", short_contracts, *gate, PYTHONIOENCODING="utf-8")
    assert waived.returncode == 0, waived.stderr
    assert "× Presence in employment" not in waived.stdout
    assert "Waived by Camille Martin on 2026-03-02 (months_unseen)" in waived.stdout


def test_check_exits_with_3_when_nothing_can_be_published(study: Path) -> None:
    target = study.parent / "sources.toml"
    text = target.read_text(encoding="utf-8")
    target.write_text(
        text.replace('["2019-01", "2023-12"]', '["2009-01", "2023-12"]', 1).replace(
            '"2" = "rsa"', '"2" = "ppa"'
        ),
        encoding="utf-8",
    )
    shown = whatworks("check", target, "--json")
    assert shown.returncode == 3, shown.stderr
    assert {o["verdict"] for o in json.loads(shown.stdout)["outcomes"]} == {"refused"}


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_check_draws_what_is_missing(tmp_path: Path, short_contracts: Path, suffix: str) -> None:
    place = tmp_path / "figures" / f"missing.{suffix}"
    shown = whatworks("check", short_contracts, "--json", "--heatmap", place)
    assert shown.returncode == 0, shown.stderr
    json.loads(shown.stdout)
    content = place.read_bytes()
    assert content.startswith(b"\x89PNG" if suffix == "png" else b"<?xml")
    if suffix == "svg":
        assert "mois non couverts, 24" in content.decode()
    assert [p.name for p in place.parent.iterdir()] == [place.name]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--cohort", "2021-01:2021-12"), ["--cohort", "--horizon 12"]),
        (("--cohort", "2021-01:21", "--horizon", "12"), ["cohort", "YYYY-MM"]),
        (("--gate", "percent.toml"), ["percent.toml", "shares from 0 to 1", "line 3"]),
        (("--gate", "none.toml"), ["none.toml", "no such file"]),
        (("--heatmap", "missing.pdf"), ["svg, png"]),
        (("--heatmap", "afile/missing.svg"), ["missing.svg", "can be written"]),
        (("--lang", "de"), ["fr, en"]),
    ],
)
def test_check_of_what_cannot_be_is_a_usage_error(
    tmp_path: Path, words: tuple[str, ...], told: list[str]
) -> None:
    (tmp_path / "afile").write_text("mine", encoding="utf-8")
    percent = "schema = 1\n\n[thresholds.dropped_rows]\nrefuse = 15\n"
    (tmp_path / "percent.toml").write_text(percent, encoding="utf-8")
    before = sorted(tmp_path.iterdir())
    shown = whatworks("check", SAMPLE / "sources.toml", *words, cwd=tmp_path)
    assert shown.returncode == 2, shown.stderr
    assert "Traceback" not in shown.stderr
    assert not shown.stdout
    for word in told:
        assert word in " ".join(shown.stderr.split())
    assert sorted(tmp_path.iterdir()) == before


def test_indicators_lists_nature_and_switches() -> None:
    shown = whatworks("indicators", "--lang", "en", PYTHONIOENCODING="utf-8")
    assert shown.returncode == 0, shown.stderr
    assert "ed_siae (outcome, pp): Durable employment" in shown.stdout
    assert "fixed term: more than six months" in shown.stdout
    assert "interviews_held (activity): Interviews held" in shown.stdout
    assert "non_take_up (unobserved): Non-take-up" in shown.stdout


def test_an_outcome_asked_of_a_source_of_activity_is_refused_with_what_it_can_show() -> None:
    shown = whatworks("indicators", "employment_presence", "--source", "rdv_insertion")
    assert (shown.returncode, shown.stdout) == (3, "")
    said = " ".join(shown.stderr.split())
    for words in (
        "IndicatorRefused · employment_presence refused (rdv_insertion)",
        "needed: a source that shows employment",
        "days_to_first_meeting (process)",
    ):
        assert words in said
    mapped = whatworks("indicators", "employment_presence", "--source", SAMPLE / "sources.toml")
    assert mapped.returncode == 0, mapped.stderr
    activity = whatworks("indicators", "interviews_held", "--source", "rdv_insertion")
    assert activity.returncode == 3
    nothing = whatworks("indicators", "--source", "rdv_insertions")
    assert nothing.returncode == 2
    assert "rdv_insertion" in nothing.stderr


def test_the_schema_of_mappings_is_json() -> None:
    shown = whatworks("schema", "mapping")
    assert shown.returncode == 0, shown.stderr
    assert "sources" in json.loads(shown.stdout)["properties"]


def test_templates_are_listed_printed_and_written_once(tmp_path: Path) -> None:
    lines = whatworks("templates").stdout.splitlines()
    listed = [line.split()[0] for line in lines]
    assert "rdv_insertion      Orientations of RSA holders (rdv-insertion)" in lines
    printed = whatworks("templates", "generic_csv", PYTHONIOENCODING="utf-8")
    assert "[sources." in printed.stdout
    assert whatworks("templates", "--out", tmp_path / "t").returncode == 0
    assert sorted(p.stem for p in (tmp_path / "t").iterdir()) == listed
    assert (tmp_path / "t" / "generic_csv.toml").read_text(encoding="utf-8") == printed.stdout
    again = whatworks("templates", "generic_csv", "--out", tmp_path / "t")
    assert again.returncode == 2
    assert "a file" in again.stderr
    unknown = whatworks("templates", "generic_cvs")
    assert unknown.returncode == 2
    assert "generic_csv" in unknown.stderr


def test_build_writes_a_panel_and_says_where(tmp_path: Path) -> None:
    words = ("--first", "2022-01", "--last", "2022-12", "--out", tmp_path / "panel")
    shown = whatworks("build", SAMPLE / "sources.toml", *words, "--memory", "500MB")
    assert shown.returncode == 0, shown.stderr
    assert "2,400 persons" in shown.stdout
    assert list((tmp_path / "panel").rglob("*.parquet"))
    wrong = whatworks("build", SAMPLE / "sources.toml", *words[:3], "2021-01", *words[4:])
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr
    size = whatworks("build", SAMPLE / "sources.toml", *words, "--memory", "lots")
    assert size.returncode == 2


def test_check_says_from_which_data_a_recent_cohort_can_be_told() -> None:
    asked = ("--horizon", "12", "--cohort", "2023-01:2023-12", "--lang", "en")
    shown = whatworks("check", SAMPLE / "sources.toml", *asked, PYTHONIOENCODING="utf-8")
    assert shown.returncode == 3, shown.stderr
    sentence = "Exit from RSA for six months — Publishable from the data of December 2024 on."
    assert sentence in shown.stdout
    wrong = whatworks("check", SAMPLE / "sources.toml", "--horizon", "12", "--cohort", "2023")
    assert wrong.returncode == 2
    assert "2025-01:2025-12" in wrong.stderr


def test_check_says_what_is_common_to_several_outcomes_once(short_contracts: Path) -> None:
    shown = whatworks("check", short_contracts, "--lang", "en", PYTHONIOENCODING="utf-8")
    sentences = [line.partition(" — ")[2] for line in shown.stdout.splitlines() if line[:1] == "×"]
    assert sentences
    assert len(sentences) == len(set(sentences))
    assert "× Presence in employment; Months spent in employment" in shown.stdout


def test_check_says_that_a_gate_file_speaks_of_sources_that_are_not_there(tmp_path: Path) -> None:
    gate = tmp_path / "gate.toml"
    gate.write_text("schema = 1\nlags = { rsaa = 6, rsa = 0 }\n", encoding="utf-8")
    asked = ("check", SAMPLE / "sources.toml", "--gate", gate)
    shown = whatworks(*asked, PYTHONIOENCODING="utf-8")
    assert shown.returncode == 0, shown.stderr
    assert "sources absentes de ces fichiers\u00a0: rsaa\n" in shown.stdout
    told = json.loads(whatworks(*asked, "--json").stdout)
    assert told["gate_speaks_of_absent_sources"] == ["rsaa"]


def test_build_looks_at_what_is_asked_before_it_reads(tmp_path: Path) -> None:
    (tmp_path / "afile").write_text("mine", encoding="utf-8")
    window = ("--first", "2022-01", "--last", "2022-12")
    for words, told in (
        (("--first", "2022-13", "--last", "2022-12"), "first"),
        ((*window, "--out", tmp_path / "afile"), "afile"),
        ((*window, "--memory", "lots"), "memory_limit"),
    ):
        shown = whatworks("build", SAMPLE / "sources.toml", *words, cwd=tmp_path)
        assert shown.returncode == 2
        assert told in shown.stderr
        assert "reading" not in shown.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["afile"]


def test_a_second_build_leaves_what_stands(tmp_path: Path) -> None:
    words = ("--first", "2022-01", "--last", "2022-12", "--out", tmp_path / "panel")
    first = whatworks("build", SAMPLE / "sources.toml", *words)
    assert "1 of 1 partitions to write, 0 left as they are" in first.stderr
    again = whatworks("build", SAMPLE / "sources.toml", *words)
    assert "0 of 1 partitions to write, 1 left as they are" in again.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without a word")
@pytest.mark.parametrize(("stop", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_is_stopped_says_so_and_leaves_nothing(
    tmp_path: Path, stop: signal.Signals, code: int
) -> None:
    (tmp_path / "scratch").mkdir()
    command = [sys.executable, "-m", "whatworks.cli", "build", str(SAMPLE / "sources.toml")]
    window = ["--first", "2019-01", "--last", "2023-12", "--out", str(tmp_path / "panel")]
    with subprocess.Popen(
        [*command, *window],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "scratch")},
    ) as running:
        assert running.stderr is not None
        assert "reading" in running.stderr.readline()
        running.send_signal(stop)
        told = running.stderr.read()
    assert running.returncode == code
    assert "Stopped." in told
    assert "Traceback" not in told
    assert not list((tmp_path / "scratch").iterdir())


def test_a_study_that_asks_for_no_known_outcome_reads_nothing(study: Path) -> None:
    text = study.read_text(encoding="utf-8").replace("employment_presence", "employment_presense")
    study.write_text(text, encoding="utf-8")
    shown = whatworks("run", study, "--out", study.parent / "out")
    assert shown.returncode == 2
    assert "write 'employment_presence'" in shown.stderr
    assert "reading" not in shown.stderr
