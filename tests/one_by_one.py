"""Risk sets told person by person and month by month in plain Python: slow, and sharing no code.

A life is a column of monthly values by name, None where nobody saw it. Every rule is a sentence about
one person and one month.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

Column = Sequence[float | None]
Life = Mapping[str, Column]


@dataclass(frozen=True)
class Asked:
    """A question as the reference reads it; months count from the panel's first."""

    treatment: str
    versus: str
    terms: tuple[str, ...]
    first: int
    last: int
    latest: int
    eligible: tuple[str, ...] = ()
    washout: int | None = None
    after: str | None = None
    within: int | None = None
    at_least: int | None = None
    at_most: int | None = None
    elapsed_in: str | None = None
    band: int = 1
    zones: tuple[str, ...] = ()
    ages: tuple[int, int] | None = None


def inside(life: Life, code: str, month: int) -> bool:
    return month >= 0 and bool(life[f"accompaniment_{code}"][month] or 0)


def begins(life: Life, code: str, month: int) -> bool:
    return inside(life, code, month) and not inside(life, code, month - 1)


def absent(life: Life, code: str, month: int, washout: int | None) -> bool:
    """Not there in the washout: ever before, or over so many months."""
    earliest = 0 if washout is None else max(0, month - washout)
    return not any(inside(life, code, m) for m in range(earliest, month))


def seen(life: Life, month: int, asked: Asked) -> bool:
    earliest = 0
    if asked.washout is not None:
        earliest = max(0, month - max(asked.washout, asked.within or 0))
    until = month
    if length(asked) is not None:
        until = month + (length(asked) or 0) - 1
    months = range(earliest, until + 1)
    return all(
        m < len(life["accompaniment"]) and life["accompaniment"][m] is not None for m in months
    )


def length(asked: Asked) -> int | None:
    """Months after the beginning of a stay at which its length is told."""
    if asked.at_least is not None:
        return asked.at_least
    return None if asked.at_most is None else asked.at_most + 1


def enters(life: Life, code: str, month: int, asked: Asked) -> bool:
    if not begins(life, code, month):
        return False
    return asked.washout is not None or absent(life, code, month, None)


def arm(life: Life, month: int, codes: Sequence[str], asked: Asked) -> int | None:
    """1 entrants, 0 comparisons, None neither: at risk or not. ``month`` begins a stay, or is entry."""
    entrant = enters(life, asked.treatment, month, asked)
    k = length(asked)
    if k is not None:
        if not entrant:
            return None
        long = seen_throughout(life, month, k) and all(
            inside(life, asked.treatment, m) for m in range(month, month + k)
        )
        return int(long if asked.at_least is not None else not long)
    if entrant:
        return 1
    if asked.versus in codes:
        return 0 if enters(life, asked.versus, month, asked) else None
    return 0


def seen_throughout(life: Life, month: int, k: int) -> bool:
    column = life["accompaniment"]
    return month + k <= len(column) and all(c is not None for c in column[month : month + k])


def standing(life: Life, month: int, codes: Sequence[str], asked: Asked, side: int) -> str:
    """Why accompaniments keep somebody out of their arm, or nothing."""
    if not seen(life, month, asked):
        return "accompaniment_not_seen"
    must = [c for c in codes if c != asked.after]
    if asked.versus == "no_accompaniment":
        must = [asked.treatment]
    elif asked.versus in codes:
        must = [asked.treatment, asked.versus]
    if not all(absent(life, c, month, asked.washout) for c in must):
        return "already_started" if asked.washout is None else "in_washout"
    if asked.after is not None and absent(life, asked.after, month, asked.within):
        return "first_step_not_taken"
    allowed = {asked.after} if asked.versus != "no_accompaniment" or side else set()
    if side or length(asked) is not None:
        allowed.add(asked.treatment)
    elif asked.versus in codes:
        allowed.add(asked.versus)
    if any(inside(life, c, month) for c in codes if c not in allowed):
        return "other_accompaniment"
    if asked.versus == "never_in_window" and not side and any(life["accompaniment"]):
        return "accompanied_in_window"
    return ""


def lasting(life: Life, state: str, month: int) -> int | None:
    """Months a state has lasted by the end of a month; None where its beginning was not seen."""
    column = life[state]
    if month < 0 or column[month] is None:
        return None
    n = 0
    while column[month - n]:
        n += 1
        if n > month or column[month - n] is None:
            return None
    return n


def term(life: Life, name: str, month: int) -> float | None:
    """One covariate of a person before a month."""
    base, _, act = name.partition(".")
    if not act:
        return life[base][month - 1]  # type: ignore[return-value]  # a territory is text
    column = [None if v is None else int(v > 0) for v in life[base][:month]]
    word = act.rstrip("0123456789")
    k = int(act[len(word) :] or 0)
    if word == "elapsed":
        return lasting(life, base, month - 1)
    if word == "since":
        return since(column, k)
    if word == "lag":
        return column[-k] if k <= month else None
    over = column[-k:] if k else column
    if len(over) < max(k, 1) or None in over:
        return None
    pairs = list(pairwise(over))
    return {
        "months": sum(v or 0 for v in over),
        "spells": (over[0] or 0) + sum(1 for a, b in pairs if not a and b),
        "transitions": sum(1 for a, b in pairs if a != b),
    }[word]


def since(column: Sequence[int | None], k: int) -> int | None:
    """Months since the last one in a state, no more than k + 1 when k is given."""
    if len(column) < k:
        return None
    for back in range(1, len(column) + 1):
        if k and back > k:
            return k + 1
        if column[-back] is None:
            return None
        if column[-back]:
            return back
    return k + 1 if k else len(column) + 1


def common(life: Life, begin: int, entry: int, asked: Asked) -> tuple[str, int]:
    """Why somebody is left out whatever the treatment, or nothing; and the band of duration."""
    lasted = None
    if asked.elapsed_in is not None:
        lasted = lasting(life, asked.elapsed_in, entry - 1)
        if lasted == 0:
            return "not_eligible", 0
    if not all(life[s][entry - 1] for s in asked.eligible):
        return "not_eligible", 0
    if asked.zones and life["zone"][entry - 1] not in asked.zones:
        return "outside_territory", 0
    born = life["born"][0]
    if asked.ages is not None and born is not None:
        age = int(entry - born) // 12
        if not asked.ages[0] <= age <= asked.ages[1]:
            return "outside_ages", 0
    if asked.elapsed_in is not None and lasted is None:
        return "elapsed_unknown", 0
    if asked.ages is not None and born is None:
        return "missing_covariate", 0
    if any(term(life, name, begin) is None for name in asked.terms):
        return "missing_covariate", 0
    return "", ((lasted or 1) - 1) // asked.band if asked.elapsed_in else 0


Unit = tuple[int, int, bool, tuple[float | None, ...]]


def risk_sets(
    lives: Mapping[int, Life], codes: Sequence[str], asked: Asked
) -> tuple[set[Unit], dict[int, Counter[str]]]:
    """Units at risk, and rows of each arm by reason; the empty reason is at risk."""
    rows = []
    shift = length(asked) or 0
    for person, life in lives.items():
        for begin in range(len(life["accompaniment"])):
            entry = begin + shift
            side = arm(life, begin, codes, asked)
            if side is None:
                continue
            event = side == 1 or asked.versus in codes or shift > 0
            if not event and not asked.first <= entry <= asked.last:
                continue
            reason, band = window(entry, asked), 0
            if not reason:
                reason = standing(life, begin, codes, asked, side)
            if not reason:
                reason, band = common(life, begin, entry, asked)
            rows.append((person, begin, entry, side, reason, band))
    months = {(entry, band) for _, _, entry, side, reason, band in rows if side and not reason}
    units: set[Unit] = set()
    counts = {0: Counter[str](), 1: Counter[str]()}
    for person, begin, entry, side, reason, band in rows:
        why = reason or ("" if (entry, band) in months else "no_entry_that_month")
        counts[side][why] += 1
        if not why:
            history = tuple(term(lives[person], n, begin) for n in asked.terms if "." in n)
            units.add((person, entry, bool(side), history))
    return units, counts


def window(entry: int, asked: Asked) -> str:
    if entry > asked.latest:
        return "followup_too_short"
    if entry > asked.last:
        return "outside_asked_months"
    return "entry_before_window" if entry < asked.first else ""
