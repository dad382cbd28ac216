"""What a mapping alone says of the records to come: codes, units, fields and their care."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from whatworks.sources.mapping import Mapping, Source
from whatworks.sources.mapping.strict import Guarded
from whatworks.sources.mapping.whole import DEFAULT_PROFILE
from whatworks.sources.records import FieldRead
from whatworks.vocabulary import COMMUNE, HOUSEHOLD, INTENSITY, SCHEME, measure_column, state_column

_IDENTIFYING: Final = "identifying"


def codes_of(mapping: Mapping) -> dict[str, tuple[str, ...]]:
    """Every code the mapping can produce, per kind, in the order it declares them."""
    codes: dict[str, dict[str, None]] = {}
    for source in mapping.sources.values():
        for kind, code in source.states:
            codes.setdefault(kind, {})[code] = None
    return {kind: tuple(known) for kind, known in codes.items()}


def attribute_types(mapping: Mapping) -> dict[str, str]:
    """Type of every attribute of persons; the household is one where a source tells it."""
    types: dict[str, str] = {
        name: mapped.type
        for source in mapping.sources.values()
        for name, mapped in source.attributes.items()
    }
    if any(source.household is not None for source in mapping.sources.values()):
        types[HOUSEHOLD] = "category"
    return types


def schemes_of(mapping: Mapping) -> frozenset[tuple[str, str]]:
    """States of which some source tells the local scheme."""
    return _states(s for s in mapping.sources.values() if s.scheme is not None)


def intensities_of(mapping: Mapping) -> frozenset[tuple[str, str]]:
    """States of which some source tells the intensity."""
    return _states(s for s in mapping.sources.values() if s.intensity is not None)


def units_of(mapping: Mapping) -> dict[str, str]:
    """Units of measures, and of the intensity of states (``kind_code``)."""
    units: dict[str, str] = {}
    for source in mapping.sources.values():
        units |= {name: amount.unit for name, amount in source.measures.items()}
        if source.intensity is not None:
            units |= {state_column(*state): source.intensity.unit for state in source.states}
    return units


def operator_declared(mapping: Mapping) -> frozenset[str]:
    """Kinds that no one but the evaluated operator tells of."""
    told = {kind for source in mapping.sources.values() for kind in source.kinds}
    vouched = {
        kind
        for source in mapping.sources.values()
        if not source.declared_by_operator
        for kind in source.kinds
    }
    return frozenset(told - vouched)


def gaps_of(mapping: Mapping) -> dict[str, int]:
    """Months without a row that do not end a stay, for sources laid out by month."""
    by_month = ("snapshots", "wide")
    return {n: s.gap_months for n, s in mapping.sources.items() if s.layout in by_month}


def gap_days_of(mapping: Mapping) -> dict[str, int]:
    """Days between two stays in one state that are one, for sources laid out as spells."""
    return {n: s.gap_days for n, s in mapping.sources.items() if s.layout == "spells"}


def fields_of(mapping: Mapping) -> tuple[FieldRead, ...]:
    """Every field that the product keeps, or links persons by, with the care it needs."""
    return tuple(f for name, source in mapping.sources.items() for f in _fields(name, source))


def _fields(name: str, source: Source) -> Iterator[FieldRead]:
    guarded: dict[str, Guarded | None] = {
        **source.attributes,
        SCHEME: source.scheme,
        INTENSITY: source.intensity,
        **{measure_column(measure): amount for measure, amount in source.measures.items()},
        COMMUNE: source.place,
    }
    for field, mapped in guarded.items():
        if mapped is not None:
            yield FieldRead(
                source=name,
                name=field,
                column=mapped.column,
                sensitivity=mapped.sensitivity,
                disclosure=mapped.disclosure,
            )
    identifying = {} if source.identity is None else dict(source.identity.columns)
    if source.household is not None:
        identifying[HOUSEHOLD] = source.household.columns
    for field, columns in identifying.items():
        yield FieldRead(
            source=name,
            name=field if field == HOUSEHOLD else f"identity.{field}",
            column=", ".join(columns),
            sensitivity=_IDENTIFYING,
            disclosure=DEFAULT_PROFILE,
        )


def _states(sources: Iterator[Source]) -> frozenset[tuple[str, str]]:
    return frozenset(state for source in sources for state in source.states)
