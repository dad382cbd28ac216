"""What each step let through and what it left behind, from top to bottom."""

from __future__ import annotations

import textwrap
from typing import Final

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from whatworks.ledger import Ledger, Step
from whatworks.report import names
from whatworks.report.figures.style import BLUE, GREY, INK, ORANGE
from whatworks.report.language import Words

LINE: Final = 27
"""Height of a line of type, in the figure's units."""
BOX: Final = 2 * LINE + 22
GAP: Final = 22
WIDTH: Final = 640
_CHARACTERS: Final = 44
_LANES: Final = {
    "entrants": 1,
    "table_treated": 1,
    "waves_treated": 1,
    "matched_treated": 1,
    "comparisons": 2,
    "table_comparison": 2,
    "waves_comparison": 2,
    "matched_comparison": 2,
}
"""Steps that follow one arm; the arms are drawn one after the other, arrows only within."""
_READING: Final = ("sources", "spells", "panel")


def drawn_steps(ledger: Ledger) -> tuple[Step, ...]:
    """Steps drawn: from the design on, where what is counted is people; all when it wrote none."""
    kept = tuple(s for s in ledger.steps if s.room not in _READING)
    return tuple(sorted(kept or ledger.steps, key=_lane))


def _lane(step: Step) -> int:
    return _LANES.get(step.name, 0)


def height(ledger: Ledger, words: Words) -> float:
    """Height of the figure, which grows with its steps and with what each left behind."""
    return max(sum(_block(step, words) for step in drawn_steps(ledger)) - GAP + 8.0, BOX)


def draw_flow(ledger: Ledger, ax: Axes, *, words: Words) -> None:
    """One box per step: its name and what came out; under it, what was left behind and why."""
    total = height(ledger, words)
    ax.set_xlim(0, WIDTH)
    ax.set_ylim(total, 0)
    ax.set_axis_off()
    y = 4.0
    steps = drawn_steps(ledger)
    for step, following in zip(steps, (*steps[1:], None), strict=True):
        below = y + BOX
        ax.add_patch(
            FancyBboxPatch(
                (6, y),
                WIDTH - 12,
                BOX,
                boxstyle="round,pad=0,rounding_size=8",
                facecolor="#eef4fa",
                edgecolor=BLUE,
                linewidth=1.6,
            )
        )
        name = textwrap.shorten(names.step(words, step), _CHARACTERS, placeholder="…")
        ax.text(22, y + 11, name, va="top", color=INK)
        ax.text(22, y + 11 + LINE, _kept(step, words), va="top", color=INK, weight="bold")
        lines = _lost(step, words)
        for place, line in enumerate(lines):
            ax.text(52, below + 10 + place * LINE, line, va="top", color=INK)
        end = y + _block(step, words)
        if lines:
            stop = below + 10 + len(lines) * LINE - 6
            ax.plot([38, 38], [below + 8, stop], color=ORANGE, linewidth=4)
        if following is not None and _lane(following) == _lane(step):
            ax.annotate(
                "",
                xy=(20, end),
                xytext=(20, below),
                arrowprops={"arrowstyle": "-|>", "color": GREY, "linewidth": 1.6},
            )
        y = end


def _kept(step: Step, words: Words) -> str:
    facts = {
        "before": words.count(step.before),
        "after": words.count(step.after),
        "unit": words.text(f"ledger.unit.{step.unit}"),
    }
    return words.text("graph.kept", facts)


def _lost(step: Step, words: Words) -> list[str]:
    """Lines of what a step left behind, folded to the width of the figure."""
    folded = []
    for reason, count in step.dropped:
        facts = {
            "count": words.count(count),
            "reason": names.reason(words, step, reason),
        }
        folded += textwrap.wrap(words.text("graph.lost", facts), _CHARACTERS)
    return folded


def _block(step: Step, words: Words) -> float:
    lines = len(_lost(step, words))
    return BOX + GAP + (lines * LINE + 10 if lines else 0)
