"""What an indicator is, and what a refusal says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import ibis

from whatworks.panel.record import Panel
from whatworks.vocabulary import Nature

Facts = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """A measure with one definition.

    Parameters
    ----------
    id : str
        Its identity: two definitions of durable employment are two identifiers.
    nature : Nature
        Only an outcome can be published as a result.
    unit : str
        Of an effect on it: ``"pp"``, ``"months"``.
    kinds : tuple of str
        Kinds of state the panel must cover.
    codes : tuple of str
        State columns without which it cannot be computed.
    monthly : callable, optional
        ``monthly(panel) -> ibis value``: 1, 0 or null for each row of the panel.
    accumulates : bool
        True when the outcome at h months is the sum of the months 1 to h after entry (before
        entry: of the months from there to entry).
    looks_back : int
        Months before the row's own month that ``monthly`` reads.
    lacking : callable, optional
        ``lacking(panel)`` names what the panel would still need, when ``codes`` cannot say it.
    switches : mapping
        The choices that distinguish this definition from its neighbours, printed with it.
    source : str
        Where the definition comes from.
    """

    id: str
    nature: Nature
    unit: str = ""
    kinds: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    monthly: Callable[[Panel], ibis.Value] | None = None
    accumulates: bool = False
    looks_back: int = 0
    lacking: Callable[[Panel], tuple[str, ...]] | None = None
    switches: Mapping[str, str] = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Something asked for and not answered (catalogue ``refusal.<code>.*``).

    Says four things: ``what`` was asked, ``where`` (source, months), what was found against what was
    needed (``facts``), and the remedy, a sentence of the catalogue filled with the facts.
    """

    code: str
    what: str
    where: str
    facts: Facts = field(default_factory=dict)
