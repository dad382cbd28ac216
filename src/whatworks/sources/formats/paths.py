"""Paths of a mapping as a plan that picks columns out of the elements of an XML file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final
from xml.etree.ElementTree import Element

from whatworks.sources.mapping.markup import Markup, way

Values = list[str | None]
"""Text of each slot, null where there is no such element."""
_OWN: Final = "."
_REMEMBERED: Final = 10_000
"""Names of elements remembered below one; files have some hundreds."""


class Flaw(Enum):
    """Why the element at a path does not give one text."""

    SEVERAL = "several"
    PARTS = "parts"


Flaws = list[tuple[Flaw, int]]
"""Flaw and slot."""


def local(tag: str) -> str:
    """Name of an element without its namespace.

    >>> local("{urn:caf}NOM"), local("NOM")
    ('NOM', 'NOM')
    """
    return tag.rpartition("}")[2]


class Branch(dict[str, "Branch | int | None"]):
    """What to pick below an element: by name, a slot or a further branch; null for the rest.

    Names are looked up without their namespace, once each.
    """

    def __missing__(self, tag: str) -> Branch | int | None:
        found = self.get(local(tag))
        if len(self) < _REMEMBERED:
            self[tag] = found
        return found

    def plant(self, steps: tuple[str, ...], slot: int) -> None:
        """Lead a path to a slot."""
        if len(steps) == 1:
            self[steps[0]] = slot
            return
        below = self.setdefault(steps[0], Branch())
        if not isinstance(below, Branch):
            raise TypeError("the mapping lets a path lead through the text of another")
        below.plant(steps[1:], slot)


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the values of a row are.

    Parameters
    ----------
    unit : str
    row : tuple of str
        Steps from the unit to a row.
    paths : tuple of str
        One per slot, as the mapping writes them.
    slots : mapping of column to slot
        Two columns may share one.
    header : Branch
        Parts of the file before the units.
    header_slots : frozenset of int
    levels : tuple of Branch
        Below the unit, below each element on the way to the row, and below the row.
    own : int or None
        Slot of the text of the row itself.
    """

    unit: str
    row: tuple[str, ...]
    paths: tuple[str, ...]
    slots: Mapping[str, int]
    header: Branch
    header_slots: frozenset[int]
    levels: tuple[Branch, ...]
    own: int | None


def plan_of(markup: Markup) -> Plan:
    """Turn the paths of a mapping, checked there, into a plan."""
    row = markup.row_steps
    slots = {path: i for i, path in enumerate(dict.fromkeys(markup.columns.values()))}
    header = Branch()
    levels = tuple(Branch() for _ in range(len(row) + 1))
    for path, slot in slots.items():
        if path == _OWN:
            continue
        ups, steps = way(path)
        (header if ups is None else levels[len(row) - ups]).plant(steps, slot)
    return Plan(
        unit=markup.unit,
        row=row,
        paths=tuple(slots),
        slots={column: slots[path] for column, path in markup.columns.items()},
        header=header,
        header_slots=frozenset(slot for path, slot in slots.items() if way(path)[0] is None),
        levels=levels,
        own=slots.get(_OWN),
    )


@dataclass(slots=True)
class Picker:
    """Picks the rows out of one unit after the other.

    Parameters
    ----------
    plan : Plan
    header : list
        Values found before the units; the slots of rows are null.
    """

    plan: Plan
    header: Values
    flawed: Counter[tuple[Flaw, int]] = field(default_factory=Counter)

    def pick(self, unit: Element) -> list[Values]:
        """Rows of a unit, in the order of the file."""
        rows: list[Values] = []
        self._below(unit, 0, self.header, [], rows)
        return rows

    def _below(
        self, element: Element, level: int, known: Values, above: Flaws, rows: list[Values]
    ) -> None:
        """Add the rows at or under an element, given what the elements above it say."""
        plan = self.plan
        values, flaws = known.copy(), above.copy()
        if branch := plan.levels[level]:
            fill(element, branch, values, flaws)
        if level < len(plan.row):
            step = plan.row[level]
            for child in element:
                if child.tag == step or local(child.tag) == step:
                    self._below(child, level + 1, values, flaws, rows)
            return
        if plan.own is not None:
            take(element, plan.own, values, flaws)
        if flaws:
            self.flawed.update(set(flaws))
        rows.append(values)


def fill(element: Element, branch: Branch, values: Values, flaws: Flaws) -> None:
    """Pick, below an element, the texts to which a branch leads."""
    for child in element:
        below = branch[child.tag]
        if below is None:
            continue
        if isinstance(below, Branch):
            fill(child, below, values, flaws)
        elif values[below] is None and not len(child):
            text = child.text  # as `take`, without the call: this line sees every value
            values[below] = text.strip() if text else ""
        else:
            take(child, below, values, flaws)


def take(element: Element, slot: int, values: Values, flaws: Flaws) -> None:
    """Put the text of an element in its slot, without the blanks that fill up fixed widths."""
    if values[slot] is not None:
        flaws.append((Flaw.SEVERAL, slot))
    if len(element):
        flaws.append((Flaw.PARTS, slot))
    text = element.text
    values[slot] = text.strip() if text else ""
