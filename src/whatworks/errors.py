"""What can go wrong, told the same way everywhere.

::

    WhatworksError              what, needed, found, remedy; never a value of a person
    ├── UsageError              exit 2: the request itself cannot be read
    │   ├── MappingError        a sources file
    │   ├── StudyError          a study file
    │   └── OptionError         an argument of a function
    └── RefusedError            exit 3: the request was understood, the answer is no
        ├── SourceRefused       a raw file cannot be trusted as it is
        ├── IndicatorRefused    an outcome may not be published from this panel
        └── DesignRefused       no comparison, or no method, can answer on these data
            └── DisplacementRefused   these data do not tell what others lost
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from whatworks.vocabulary import Unidentified


class WhatworksError(Exception):
    """A problem a user can act on.

    Parameters
    ----------
    what : str
        The thing at fault: a file, a key, an option.
    needed : str
        What would have been accepted.
    found : str
        What was there instead: names, counts and types, never a person's value.
    remedy : str
        What to do about it.
    """

    exit_code = 2

    def __init__(self, *, what: str, needed: str, found: str, remedy: str) -> None:
        super().__init__(what, needed, found, remedy)
        self.what = what
        self.needed = needed
        self.found = found
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}: needed {self.needed}; found {self.found}. To do: {self.remedy}."

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.needed, self.found, self.remedy))


def _rebuild(
    cls: type[WhatworksError], what: str, needed: str, found: str, remedy: str
) -> WhatworksError:
    return cls(what=what, needed=needed, found=found, remedy=remedy)


class UsageError(WhatworksError):
    """The request cannot be read."""


class MappingError(UsageError):
    """A sources file is not a valid mapping."""


class StudyError(UsageError):
    """A study file is not valid."""


class OptionError(UsageError, ValueError):
    """An argument is outside what the function accepts."""


class RefusedError(WhatworksError):
    """The request was understood and the answer is no."""

    exit_code = 3


class SourceRefused(RefusedError):
    """A raw file cannot be trusted as it is."""


class IndicatorRefused(RefusedError):
    """An indicator may not be published as a result from this panel."""


class DesignRefused(RefusedError):
    """No comparison, or no method, can answer the question on these data."""


class DisplacementRefused(DesignRefused):
    """What others lost, or what is left in net, cannot be told from these data.

    Parameters
    ----------
    code : Unidentified
        Which of the typed reasons; reports print the sentence of that name.
    what, needed, found, remedy : str
        As `WhatworksError`.
    """

    def __init__(
        self, *, code: Unidentified, what: str, needed: str, found: str, remedy: str
    ) -> None:
        super().__init__(what=what, needed=needed, found=found, remedy=remedy)
        self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuilt, (self.code, self.what, self.needed, self.found, self.remedy))


def _rebuilt(
    code: Unidentified, what: str, needed: str, found: str, remedy: str
) -> DisplacementRefused:
    return DisplacementRefused(code=code, what=what, needed=needed, found=found, remedy=remedy)


def expect(value: object, kind: type[object], *, what: str, remedy: str) -> None:
    """Refuse an object that is not of the kind a door takes.

    >>> expect("a text", int, what="draws", remedy="write a number")
    Traceback (most recent call last):
    whatworks.errors.OptionError: draws: needed an object int; found an object str. To do: write a number.
    """
    if not isinstance(value, kind):
        raise OptionError(
            what=what,
            needed=f"an object {kind.__name__}",
            found=f"an object {type(value).__name__}",
            remedy=remedy,
        )


def choice(value: str, allowed: Iterable[str], *, what: str) -> str:
    """Return ``value`` when it is allowed, else raise an `OptionError` listing what is.

    >>> choice("fr", ("fr", "en"), what="lang")
    'fr'
    """
    options = tuple(allowed)
    if value in options:
        return value
    raise OptionError(
        what=what,
        needed="one of " + ", ".join(options),
        found=repr(value),
        remedy=suggestion(str(value), options) or "choose one of those",
    )


def suggestion(word: str, known: Iterable[str]) -> str:
    """``"write 'x'"`` for the known word nearest to a mistyped one, or an empty string."""
    close = get_close_matches(word, [str(k) for k in known], n=1, cutoff=0.6)
    return f"write {close[0]!r}" if close else ""
