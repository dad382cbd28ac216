"""Whether a study file gives its estimators what they need, told before any file is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from whatworks.errors import StudyError
from whatworks.estimate.protocol import Estimator
from whatworks.study.file import StudyFile
from whatworks.vocabulary import Supply

_WRITTEN: Final = {
    Supply.ROLLOUT: ("[rollout]", "add [rollout], or choose a method for comparisons"),
    Supply.SATURATION: ("[markets]", "add [markets], with for instance by = ['zone']"),
    Supply.COMPETITION: (
        "who competes across markets",
        "add [markets.distance], [markets.commuting], [markets.links] or [markets.skills]",
    ),
}
"""What a supply is written as, and what to do where it is not; others are judged on the design."""
_DRAWN: Final = (
    "shares of markets that were drawn at random, as a table of an experiment says",
    "choose SaturationScore, for shares that nobody drew; or read the table with "
    "whatworks.Design.from_cross_section",
)


def check_supplied(study: StudyFile, methods: Sequence[Estimator], *, file: str) -> None:
    """Refuse a method whose design no table of the file can make.

    Raises
    ------
    StudyError
        Naming the method, what it needs and the table to write.
    """
    given = _given(study)
    for method in methods:
        name = type(method).__name__
        if Supply.DRAWN_SATURATION in method.needs:
            raise _lacking(file, name, *_DRAWN)
        for supply, (needed, remedy) in _WRITTEN.items():
            if supply in method.needs - given:
                raise _lacking(file, name, needed, remedy)
        if Supply.ROLLOUT in given - method.needs:
            raise _lacking(
                file,
                name,
                "comparisons chosen person by person",
                "remove [rollout], or choose a method for rollouts",
            )


def _given(study: StudyFile) -> frozenset[Supply]:
    """Supplies that tables of the file bring."""
    markets = study.markets
    across = markets is not None and any((markets.places, markets.skills))
    told = {
        Supply.ROLLOUT: study.rollout is not None,
        Supply.SATURATION: markets is not None and bool(markets.by),
        Supply.COMPETITION: across,
    }
    return frozenset(supply for supply, there in told.items() if there)


def _lacking(file: str, method: str, needed: str, remedy: str) -> StudyError:
    return StudyError(
        what=f"{file}, estimators: {method}",
        needed=needed,
        found="none in the file" if "add" in remedy else "another design",
        remedy=remedy,
    )
