"""The folder: whole or nothing, signed, the same numbers in every format, never someone else's."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest

from whatworks.errors import IndicatorRefused, OptionError
from whatworks.evidence.record import Evidence
from whatworks.report import Entry, frames, render, render_collection
from whatworks.report.folder import check_writable
from whatworks.report.language import words
from whatworks.report.render import bundle

Bundled = Callable[[str, str], dict[str, bytes]]
FILES = {
    "index.html",
    "effects.csv",
    "effects.parquet",
    "effects.json",
    "findings.csv",
    "flow.csv",
    "refusals.json",
    "manifest.json",
    "figures/effects.svg",
    "figures/effects.csv",
    "figures/flow.svg",
    "figures/flow.csv",
}


@pytest.fixture
def drawn_once(
    every_evidence: dict[str, Evidence], bundled: Bundled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of known evidence are drawn once a session: these tests are of the folder they go to."""

    def found(evidence: Evidence, *, lang: str) -> dict[str, bytes]:
        (name,) = (name for name, known in every_evidence.items() if known is evidence)
        return bundled(name, lang)

    # By its full name: the package calls by the short one the function the module holds.
    monkeypatch.setattr(import_module("whatworks.report.render"), "bundle", found)


def inside(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_the_folder_holds_what_it_says(panel_evidence: Evidence, tmp_path: Path) -> None:
    index = render(panel_evidence, tmp_path / "out")
    found = inside(tmp_path / "out")

    assert index == tmp_path / "out" / "index.html"
    assert found >= FILES | {"benchmarks.csv", "figures/balance.svg", "figures/overlap.csv"}
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_the_manifest_signs_every_other_file(panel_evidence: Evidence, tmp_path: Path) -> None:
    render(panel_evidence, tmp_path / "out", lang="en")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text("utf-8"))

    assert manifest["producer"] == "whatworks"
    assert set(manifest["files"]) == inside(tmp_path / "out") - {"manifest.json"}
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((tmp_path / "out" / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize(("name", "lang"), [("panel", "fr"), ("saturation", "en")])
def test_the_same_evidence_gives_the_same_bytes(
    every_evidence: dict[str, Evidence], bundled: Bundled, name: str, lang: str
) -> None:
    assert bundle(every_evidence[name], lang=lang) == bundled(name, lang)


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_csv_parquet_json_and_page_carry_the_same_numbers(
    panel_evidence: Evidence, lang: str, bundled: Bundled
) -> None:
    files = bundled("panel", lang)
    way = {"sep": ";", "decimal": ","} if lang == "fr" else {}
    csv = pd.read_csv(io.BytesIO(files["effects.csv"]), encoding="utf-8-sig", **way)
    parquet = pd.read_parquet(io.BytesIO(files["effects.parquet"]))
    document = json.loads(files["effects.json"])
    rows = pd.DataFrame(document["effects"])

    pd.testing.assert_frame_equal(csv, parquet, check_dtype=False)
    pd.testing.assert_frame_equal(rows, parquet, check_dtype=False)
    speak, scale = words(lang), frames.common_scale(panel_evidence)
    html = files["index.html"].decode()
    for row in parquet[parquet["month"].isin((6, 12, 18, 24))].itertuples():
        assert (
            f'<td class="number">{speak.number(row.estimate, scale.decimals, signed=True)}</td>'
            in html
        )
        assert speak.bounds(row.conf_low, row.conf_high, scale) in html
    assert document["verdict"] in html.replace("&#39;", "'")


def test_french_csv_is_what_a_french_spreadsheet_opens(bundled: Bundled) -> None:
    french = bundled("panel", "fr")["effects.csv"]
    english = bundled("panel", "en")["effects.csv"]

    assert french.startswith("\ufeff".encode())
    assert (
        french.decode("utf-8-sig")
        .splitlines()[1]
        .startswith("1;MatchedDifference;att;-1;-24;all;-3,2;")
    )
    assert english.decode().splitlines()[1].startswith("1,MatchedDifference,att,-1,-24,all,-3.2,")


def test_figures_bring_the_numbers_they_draw(bundled: Bundled) -> None:
    files = bundled("panel", "en")
    drawn = pd.read_csv(io.BytesIO(files["figures/effects.csv"]))
    balance = pd.read_csv(io.BytesIO(files["figures/balance.csv"]))

    assert drawn["month"].tolist() == list(range(-24, 25))
    assert balance.columns.tolist() == [
        "covariate",
        "smd_before",
        "smd_after",
        "variance_ratio_after",
        "ks_before",
        "ks_after",
    ]


def test_undefined_numbers_are_empty_or_null_never_zero(bundled: Bundled) -> None:
    files = bundled("refused", "en")
    findings = pd.read_csv(io.BytesIO(files["findings.csv"]))
    refusals = json.loads(files["refusals.json"])

    assert findings.loc[findings["check"] == "refutation", "statistic"].isna().all()
    assert [r["code"] for r in refusals] == [
        "activity_not_outcome",
        "unknown_states",
        "dropped_rows",
    ]
    assert all(r["what"] and r["where"] and r["why"] and r["remedy"] for r in refusals)


@pytest.mark.usefixtures("drawn_once")
def test_a_second_render_replaces_the_first(
    panel_evidence: Evidence, table_evidence: Evidence, tmp_path: Path, bundled: Bundled
) -> None:
    out = tmp_path / "out"
    render(panel_evidence, out)
    render(table_evidence, out)

    assert json.loads((out / "effects.json").read_text("utf-8"))["outcome"] == "re78"
    assert inside(out) == set(bundled("table", "fr"))


@pytest.mark.usefixtures("drawn_once")
def test_an_empty_folder_is_taken(panel_evidence: Evidence, tmp_path: Path) -> None:
    assert render(panel_evidence, tmp_path).is_file()


@pytest.mark.parametrize("content", ["{}", "[]", "not json", '{"producer": "another"}'])
def test_a_folder_that_is_not_ours_is_left_alone(
    panel_evidence: Evidence, tmp_path: Path, content: str
) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "manifest.json").write_text(content)
    (out / "chapter.tex").write_text("years of work")

    with pytest.raises(OptionError, match="written by an earlier report"):
        render(panel_evidence, out)
    assert (out / "chapter.tex").read_text() == "years of work"
    assert inside(out) == {"manifest.json", "chapter.tex"}


@pytest.mark.usefixtures("drawn_once")
def test_a_note_left_in_our_folder_is_not_lost(panel_evidence: Evidence, tmp_path: Path) -> None:
    render(panel_evidence, tmp_path / "out")
    (tmp_path / "out" / "note.txt").write_text("mine")

    with pytest.raises(OptionError, match=r"note\.txt"):
        render(panel_evidence, tmp_path / "out")
    assert (tmp_path / "out" / "note.txt").read_text() == "mine"


def test_a_file_in_the_way_is_refused(panel_evidence: Evidence, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")

    with pytest.raises(OptionError):
        render(panel_evidence, tmp_path / "out")


@pytest.mark.usefixtures("drawn_once")
@pytest.mark.parametrize("step", ["write_bytes", "rename"])
def test_a_failure_on_the_way_leaves_everything_as_it_was(
    panel_evidence: Evidence,
    table_evidence: Evidence,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    out = tmp_path / "out"
    render(table_evidence, out)
    before = {name: (out / name).read_bytes() for name in inside(out)}
    calls = {"n": 0}
    real = getattr(Path, step)

    def failing(self: Path, *args: object) -> object:
        calls["n"] += 1
        if calls["n"] == 2:
            raise OSError("disk full")
        return real(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Path, step, failing)
        with pytest.raises(OptionError, match=r"output folder 'out'.*found disk full"):
            render(panel_evidence, out)

    assert {name: (out / name).read_bytes() for name in inside(out)} == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.usefixtures("drawn_once")
@pytest.mark.parametrize("verb", ["check", "write"])
def test_a_place_that_cannot_be_written_is_an_option_refused(
    panel_evidence: Evidence, tmp_path: Path, verb: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "deep" / "out"

    with pytest.raises(OptionError, match=r"output folder 'out': needed a place .* found Not a"):
        check_writable(out) if verb == "check" else render(panel_evidence, out)
    assert inside(tmp_path) == {"file"}


def test_a_place_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    check_writable(tmp_path / "empty")
    check_writable(tmp_path / "not" / "yet")
    assert [p.name for p in tmp_path.rglob("*")] == ["empty"]


def test_a_foreign_folder_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "chapter.tex").write_text("years of work")

    with pytest.raises(OptionError, match=r"chapter\.tex"):
        check_writable(tmp_path)


def test_the_current_folder_is_called_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    monkeypatch.chdir(tmp_path / "thesis")

    with pytest.raises(OptionError, match="output folder 'thesis'"):
        check_writable(Path())


def killed(place: Path, *, former: str = "", suffix: str = "ab12_xyz") -> Path:
    """What a run killed on the way leaves beside the folder it was to write."""
    beside = place.with_name(f".{place.name}-{suffix}")
    (beside / "fresh").mkdir(parents=True)
    (beside / "fresh" / "index.html").write_text("half")
    if former:
        (beside / "former").mkdir()
        (beside / "former" / "index.html").write_text(former)
    return beside


@pytest.mark.usefixtures("drawn_once")
def test_what_a_killed_run_left_is_cleared(table_evidence: Evidence, tmp_path: Path) -> None:
    killed(tmp_path / "out")
    others = killed(tmp_path / "another")
    mine = killed(tmp_path / "out", suffix="mynotes_")
    (mine / "note.txt").write_text("mine")

    render(table_evidence, tmp_path / "out")
    assert {p.name for p in tmp_path.iterdir()} == {"out", others.name, mine.name}


@pytest.mark.usefixtures("drawn_once")
def test_the_report_a_killed_run_had_moved_aside_comes_back(
    table_evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    render(table_evidence, out)
    before = {name: (out / name).read_bytes() for name in inside(out)}
    beside = killed(out)
    out.rename(beside / "former")

    def failing(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", failing)
    with pytest.raises(OptionError, match="found No space left on device"):
        render(table_evidence, out)
    assert {name: (out / name).read_bytes() for name in inside(out)} == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_page_that_cannot_be_completed_writes_nothing(
    panel_evidence: Evidence, tmp_path: Path
) -> None:
    odd = replace(panel_evidence.displacement, code="unheard_of")

    with pytest.raises(KeyError, match="unheard_of"):
        render(replace(panel_evidence, displacement=odd), tmp_path / "deep" / "out")
    assert list(tmp_path.iterdir()) == []


def test_activity_is_never_printed_as_a_result(panel_evidence: Evidence, tmp_path: Path) -> None:
    question = replace(panel_evidence.design.question, outcome="interviews_held")
    design = replace(panel_evidence.design, question=question)

    with pytest.raises(IndicatorRefused, match="measure of activity"):
        render(replace(panel_evidence, design=design), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def entries(every: dict[str, Evidence]) -> list[Entry]:
    return [
        Entry(slug="training", title="<Formation>", section="pathways", evidence=every["panel"]),
        Entry(slug="nsw", title="NSW", section="companion", evidence=every["table"]),
        Entry(slug="jobs", title="Jobs", section="pathways", evidence=every["saturation"]),
    ]


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_a_collection_summarises_and_links_its_evaluations(
    every_evidence: dict[str, Evidence], tmp_path: Path, lang: str
) -> None:
    index = render_collection(entries(every_evidence), tmp_path / "all", title="T & U", lang=lang)
    html = index.read_text("utf-8")
    speak = words(lang)
    shown = html.replace("&#39;", "'")

    assert "T &amp; U" in html
    assert "&lt;Formation&gt;" in html
    assert html.index("section-pathways") < html.index("section-companion")
    assert html.count("<table") == 2
    for slug in ("training", "nsw", "jobs"):
        assert f'href="{slug}/index.html"' in html
        assert (tmp_path / "all" / slug / "index.html").is_file()
    known = {"name": speak.text("benchmark.experiment.short")}
    known["value"] = speak.amount(1794, frames.common_scale(every_evidence["table"]), signed=True)
    assert speak.text("collection.benchmark.yes", known) in shown
    assert speak.text("displacement.not_measured.title") in shown
    manifest = json.loads((tmp_path / "all" / "manifest.json").read_text("utf-8"))
    assert set(manifest["files"]) == inside(tmp_path / "all") - {"manifest.json"}


def test_a_collection_replaces_an_earlier_one(
    every_evidence: dict[str, Evidence], tmp_path: Path
) -> None:
    render_collection(entries(every_evidence), tmp_path / "all", title="A")
    render_collection(entries(every_evidence)[:1], tmp_path / "all", title="B")

    assert not (tmp_path / "all" / "nsw").exists()


@pytest.mark.parametrize("slugs", [[], ["a", "a"], ["../up"], ["Majuscule"], ["a/b"]])
def test_slugs_must_be_distinct_folder_names(
    panel_evidence: Evidence, tmp_path: Path, slugs: list[str]
) -> None:
    made = [Entry(slug=s, title=s, section="pathways", evidence=panel_evidence) for s in slugs]

    with pytest.raises(OptionError, match="slug"):
        render_collection(made, tmp_path / "all", title="A")
    assert not (tmp_path / "all").exists()
