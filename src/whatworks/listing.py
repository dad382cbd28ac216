"""What `whatworks indicators` lists: the registry, or the part of it that a source can show."""

from __future__ import annotations

import tomllib
from pathlib import Path

from whatworks.errors import IndicatorRefused, OptionError
from whatworks.indicators import indicators, lookup, possible
from whatworks.indicators.assessment import explained
from whatworks.indicators.impossible import from_source
from whatworks.indicators.record import Shown
from whatworks.report import names
from whatworks.report.language import Words
from whatworks.sources import templates
from whatworks.sources.mapping import Mapping, load


def shown_by_mapping(source: str) -> Shown:
    """States and measures that a shipped template or a mapping file promises; no data is read.

    Raises
    ------
    OptionError
        When it is neither.
    MappingError
        When the file is no mapping.
    """
    if source in templates.names():
        mapping = Mapping.model_validate(tomllib.loads(templates.text(source)))
    elif Path(source).is_file():
        mapping = load(Path(source))[0]
    else:
        raise OptionError(
            what="--source",
            needed=f"a mapping file, or one of {', '.join(templates.names())}",
            found=repr(source),
            remedy="check the path or the name",
        )
    states: dict[str, tuple[str, ...]] = {}
    for one in mapping.sources.values():
        for kind, code in one.states:
            states[kind] = tuple(dict.fromkeys((*states.get(kind, ()), code)))
    measures = {name for one in mapping.sources.values() for name in one.measures}
    return Shown(states=states, measures=frozenset(measures))


def refuse_unless_shown(name: str, source: str) -> None:
    """Let through an outcome that the source can show.

    Raises
    ------
    IndicatorRefused
        Otherwise, with the indicators that it can show.
    """
    refusal = from_source(lookup(name), shown_by_mapping(source), source)
    if refusal is not None:
        found, needed, remedy = explained(refusal)
        raise IndicatorRefused(
            what=f"{name} refused ({source})", needed=needed, found=found, remedy=remedy
        )


def chosen(name: str | None, source: str | None) -> tuple[str, ...]:
    """Identifiers to list."""
    if name is not None:
        return (lookup(name).id,)
    return indicators() if source is None else possible(shown_by_mapping(source))


def lines(identifier: str, words: Words) -> tuple[str, ...]:
    """An indicator in three lines at most: what it is, what it needs, its switches."""
    listed = lookup(identifier)
    unit = f", {listed.unit}" if listed.unit else ""
    needs = ", ".join((*listed.kinds, *listed.codes, *(f"measure {m}" for m in listed.measures)))
    switches = "; ".join(f"{key}: {value}" for key, value in listed.switches.items())
    return (
        f"{listed.id} ({listed.nature}{unit}): {names.outcome(words, listed.id, 'label')}",
        *([f"    needs {needs}"] if needs else []),
        *([f"    {switches.replace('_', ' ')}"] if switches else []),
    )
