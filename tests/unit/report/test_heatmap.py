"""The heat map of missing data: levels told apart without colour, numbers, words."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from hand import panel, records, spell
from whatworks.indicators import Measured, measure
from whatworks.months import to_index
from whatworks.report.figures import missingness
from whatworks.report.heatmap import heatmap, missingness_drawing
from whatworks.report.language import words
from whatworks.sources.records import Coverage

JANUARY = to_index("2020-01")


@pytest.fixture
def measured() -> Measured:
    """12 persons; contracts to September, a quarter of persons lost from July; RSA all year."""
    who = [f"p{k:02d}" for k in range(12)]
    rows = [spell(p, "employment", "cdi", "2020-01-01", None) for p in who]
    blind = [("s", p, "employment", JANUARY + 6) for p in who[:3]]
    made = panel(records(who, episodes=rows, blind=blind))
    covered = (
        Coverage(source="contracts", kind="employment", first=JANUARY, last=JANUARY + 8),
        Coverage(source="rsa", kind="benefit", first=JANUARY, last=JANUARY + 11),
    )
    return measure(replace(made, coverage=covered))


@pytest.mark.parametrize(
    ("share", "level"), [(0.0, 0), (0.01, 1), (0.05, 1), (0.1, 2), (0.151, 3), (0.99, 3), (1.0, 4)]
)
def test_levels_follow_the_steps(share: float, level: int) -> None:
    assert missingness.level(share) == level


@pytest.mark.parametrize(
    ("lang", "told"),
    [
        (
            "fr",
            [
                "janvier 2020",
                "contrats : mois non couverts, 3",
                "25,0 %",
                "RSA : mois non couverts, 0",
            ],
        ),
        (
            "en",
            [
                "January 2020",
                "contracts: months not covered, 3",
                "25.0%",
                "RSA: months not covered, 0",
            ],
        ),
    ],
)
def test_the_figure_is_told_in_words_with_its_numbers(
    measured: Measured, lang: str, told: list[str]
) -> None:
    drawn = missingness_drawing(measured, words(lang))
    root = ET.fromstring(drawn.svg)  # noqa: S314 drawn by the code under test
    assert [child.tag for child in root[:2]] == ["title", "desc"]
    description = (root[1].text or "").replace("\N{NO-BREAK SPACE}", " ")
    description = description.replace("\N{NARROW NO-BREAK SPACE}", " ")
    for part in told:
        assert part in description
    assert drawn.data["month"].iloc[0] == "2020-01"
    assert len(drawn.data) == 24


def test_what_differs_in_colour_differs_in_hatching_or_lightness_too(measured: Measured) -> None:
    drawn = missingness_drawing(measured, words("fr"))
    root = ET.fromstring(drawn.svg)  # noqa: S314 drawn by the code under test
    hatched = list(root.iter("pattern"))
    assert len(hatched) >= 2
    shown = " ".join("".join(t.itertext()) for t in root.iter("text"))
    assert "mois non couvert" in shown
    assert "%" in shown


def test_the_same_panel_gives_the_same_bytes(measured: Measured) -> None:
    for kind in ("svg", "png"):
        assert heatmap(measured, kind=kind) == heatmap(measured, kind=kind)
