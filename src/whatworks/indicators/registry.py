"""Every indicator the product knows, by identifier."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from whatworks.errors import OptionError, suggestion
from whatworks.indicators.definitions import (
    activity,
    assessments,
    described,
    durable,
    employment,
    income,
    registration,
    rights,
    rsa,
    unobserved,
)
from whatworks.indicators.record import USES, Indicator, Shown
from whatworks.vocabulary import Nature, Role

_FAMILIES: Final = (
    employment,
    durable,
    rsa,
    income,
    registration,
    rights,
    assessments,
    activity,
    described,
    unobserved,
)
_ALL: Final[Mapping[str, Indicator]] = MappingProxyType(
    {indicator.id: indicator for family in _FAMILIES for indicator in family.INDICATORS}
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


def usable_as(identifier: str, role: Role) -> bool:
    """Whether an indicator may serve as a result, a dose or a cost.

    >>> usable_as("interviews_held", Role.DOSE), usable_as("interviews_held", Role.RESULT)
    (True, False)
    """
    return role in USES[lookup(identifier).nature]


def possible(shown: Shown) -> tuple[str, ...]:
    """Indicators that can be computed from what is shown, outcomes first."""
    return tuple(i.id for i in _ALL.values() if i.computable(shown))
