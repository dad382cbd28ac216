"""Figures: nothing global, text that stays text, the same bytes twice, a text alternative."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unit.report.evidence_by_hand import make_estimate
from whatworks.evidence.record import Evidence
from whatworks.ledger import Ledger
from whatworks.report import frames, pictures, plot_balance, plot_effects
from whatworks.report.figures import balance, flow, style
from whatworks.report.language import words


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 drawn by the code under test


def texts(axes: Axes) -> list[str]:
    return [t.get_text() for t in axes.findobj(lambda a: hasattr(a, "get_text"))]


def test_effects_are_drawn_on_axes_of_their_own_or_on_those_given(panel_evidence: Evidence) -> None:
    own = plot_effects(panel_evidence.estimates[0])
    given = Figure().subplots()

    assert isinstance(own.figure, Figure)
    assert plot_effects(panel_evidence.estimates[0], ax=given, lang="en") is given
    assert given.get_xlabel() == "months since entry"
    assert own.get_xlabel() == "mois depuis l'entrée"


def test_the_months_before_entry_look_different_and_the_fall_is_named(
    panel_evidence: Evidence,
) -> None:
    ax = plot_effects(panel_evidence.estimates[0], lang="en")
    lines = {line.get_label(): line for line in ax.lines}

    assert lines["before entry"].get_markerfacecolor() == "white"
    assert lines["before entry"].get_linestyle() != lines["after entry"].get_linestyle()
    assert lines["before entry"].get_xdata().max() == -1
    assert lines["after entry"].get_xdata().min() == 0
    assert "lock-in" in ax.get_legend_handles_labels()[1]


def test_what_says_nothing_is_neither_drawn_nor_shaded() -> None:
    rows = [("att", -1, "all", 0.0, 0.0)]
    rows += [("att", m, "all", point, 3.0) for m, point in enumerate((-1.0, -2.0, 1.0, 2.0))]
    ax = plot_effects(make_estimate(rows, unit="pp", ledger=Ledger()), lang="en")

    assert ax.get_legend_handles_labels()[1] == ["after entry"]
    assert min(line.get_xdata().min() for line in ax.lines if len(line.get_xdata()) > 2) == 0


def test_a_single_measure_is_drawn_as_rows(saturation_evidence: Evidence) -> None:
    ax = plot_effects(saturation_evidence.estimates[0], lang="en")

    assert {"Direct effect", "Effect on others", "Total effect"} <= set(texts(ax))
    assert "Direct effect, 25% of persons supported" in texts(ax)


def test_the_love_plot_of_a_design(panel_evidence: Evidence) -> None:
    ax = plot_balance(panel_evidence.design, lang="en")
    table = frames.balance_of(panel_evidence.design)
    shown = balance.largest(table)
    before, after = ax.lines[-2:]

    assert before.get_xdata().tolist() == shown["smd_before"].tolist()
    assert after.get_xdata().tolist() == shown["smd_after"].tolist()


def test_only_the_largest_differences_are_drawn() -> None:
    table = frames.balance(None)
    many = table.reindex(range(30)).assign(
        covariate=[f"x{k}" for k in range(30)],
        smd_before=[k / 100 for k in range(30)],
        smd_after=0.0,
    )

    assert balance.largest(many)["covariate"].tolist() == [f"x{k}" for k in range(29, 17, -1)]
    assert balance.height(many) == balance.height(many.tail(12))


def test_pyplot_is_never_loaded() -> None:
    code = "import sys, whatworks.report; sys.exit('matplotlib.pyplot' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_drawing_leaves_the_settings_of_matplotlib_alone(panel_evidence: Evidence) -> None:
    before = dict(mpl.rcParams)
    plot_effects(panel_evidence.estimates[0])
    pictures.effects_drawing(panel_evidence, words("fr"))

    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_a_drawing_tells_what_it_shows(panel_evidence: Evidence, lang: str) -> None:
    drawn = pictures.effects_drawing(panel_evidence, words(lang))
    root = parsed(drawn.svg)
    title, description = root[0], root[1]
    values = frames.curve(panel_evidence.estimates[0]).at(24)

    assert (title.tag, description.tag, root.get("role")) == ("title", "desc", "img")
    assert root.get("aria-labelledby") == title.get("id")
    assert root.get("aria-describedby") == description.get("id")
    assert words(lang).number(values["estimate"], 1, signed=True) in (description.text or "")
    assert words(lang).number(values["conf_high"], 1) in (description.text or "")
    assert words(lang).text("benchmark.truth.label") in (description.text or "")


def test_type_is_large_enough_for_a_phone(every_evidence: dict[str, Evidence]) -> None:
    margins = 32
    for evidence in every_evidence.values():
        for drawn in (
            pictures.effects_drawing(evidence, words("fr")),
            pictures.flow_drawing(evidence, words("fr")),
        ):
            assert drawn is not None
            root = parsed(drawn.svg)
            width = float((root.get("viewBox") or "").split()[2])
            sizes = [
                float(part.partition(":")[2].removesuffix("px"))
                for text in root.iter("text")
                for part in (text.get("style") or "").split("; ")
                if part.startswith("font-size")
            ]
            assert sizes
            assert min(sizes) * (390 - margins) / width >= 11


def test_a_standalone_file_declares_its_namespace(panel_evidence: Evidence) -> None:
    drawn = pictures.flow_drawing(panel_evidence, words("fr"))
    assert drawn is not None

    assert "xmlns" not in drawn.svg
    assert parsed(drawn.file()).tag == "{http://www.w3.org/2000/svg}svg"


def test_the_flow_draws_arms_apart_and_leaves_reading_to_the_table(
    panel_evidence: Evidence,
) -> None:
    ledger = frames.ledger(panel_evidence)

    assert [step.name for step in flow.drawn_steps(ledger)] == [
        "entrants",
        "matched_treated",
        "comparisons",
        "matched_comparison",
    ]
    reading = replace(ledger, steps=ledger.steps[:3])
    assert flow.drawn_steps(reading) == reading.steps


def test_every_figure_has_the_width_of_the_house() -> None:
    figure, _ = style.blank(300)

    assert figure.get_size_inches().tolist() == [640 / 72, 300 / 72]
