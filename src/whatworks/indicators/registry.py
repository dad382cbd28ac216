"""Every indicator the product knows, by identifier."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from whatworks.errors import OptionError, suggestion
from whatworks.indicators.definitions import activity, durable, employment, rsa
from whatworks.indicators.record import Indicator
from whatworks.vocabulary import Nature

_ALL: Final[Mapping[str, Indicator]] = MappingProxyType(
    {
        indicator.id: indicator
        for module in (employment, durable, rsa, activity)
        for indicator in module.INDICATORS
    }
)


def indicators(nature: Nature | None = None) -> tuple[str, ...]:
    """Identifiers registered, all or of one nature.

    >>> "employment_presence" in indicators(Nature.OUTCOME)
    True
    """
    return tuple(i.id for i in _ALL.values() if nature is None or i.nature is nature)


def lookup(identifier: str) -> Indicator:
    """Indicator of that identifier.

    Raises
    ------
    OptionError
        When none has it; names the nearest.
    """
    if identifier not in _ALL:
        outcomes = ", ".join(indicators(Nature.OUTCOME))
        raise OptionError(
            what="indicator",
            needed=f"a registered indicator; outcomes are {outcomes}",
            found=repr(identifier),
            remedy=suggestion(identifier, _ALL) or "choose one of those outcomes",
        )
    return _ALL[identifier]
