"""Calendar months as integers: ``12 * year + (month - 1)``, so that differences are horizons."""

from __future__ import annotations

import re

from whatworks.errors import UsageError

_LABEL = re.compile(r"(\d{4})-(\d{2})")


def to_index(label: str, *, what: str = "a month") -> int:
    """Integer of a month written ``YYYY-MM``; an error names ``what`` was to be one.

    >>> to_index("2021-01")
    24252
    """
    match = _LABEL.fullmatch(label) if isinstance(label, str) else None
    if match is None or not 1 <= int(match[2]) <= 12:
        raise UsageError(
            what=what,
            needed="a month written YYYY-MM",
            found=repr(label),
            remedy="write for instance 2021-01",
        )
    return 12 * int(match[1]) + int(match[2]) - 1


def to_label(index: int) -> str:
    """``YYYY-MM`` of a month's integer.

    >>> to_label(24252)
    '2021-01'
    """
    return f"{index // 12:04d}-{index % 12 + 1:02d}"
