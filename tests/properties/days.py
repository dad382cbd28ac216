"""The panel of a small world reckoned day by day and person by person, in plain Python.

Nothing here comes from the library but the words of columns' names, written out again: a slow second
opinion on what `reconcile`, `expand` and `build` say of the same rows.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

OPEN_DAYS = 32_767
MILLION = 1_000_000
SOURCES = ("s", "t", "u")
CODES: Mapping[str, tuple[str, ...]] = {
    "employment": ("cdi", "cdd"),
    "benefit": ("rsa",),
    "accompaniment": ("job_search", "aided_contract"),
}
STATES = tuple((kind, code) for kind, codes in CODES.items() for code in codes)
DAYS_PRESENT = frozenset({"employment"})
Row = dict[str, Any]


@dataclass(frozen=True)
class World:
    """Rows of three sources about a few persons, and what a mapping would say of them.

    ``stays``: source, person, state, first day, last day or None, scheme, dose. ``months``: source,
    person, state, month, scheme, dose. ``coverage``: by (source, kind), first and last month.
    """

    people: tuple[str, ...]
    stays: tuple[tuple[str, str, tuple[str, str], dt.date, dt.date | None, Any, Any], ...]
    months: tuple[tuple[str, str, tuple[str, str], int, Any, Any], ...]
    measures: tuple[tuple[str, str, str, int, float], ...]
    places: tuple[tuple[str, str, str, int, int | None], ...]
    blind: tuple[tuple[str, str, str, int], ...]
    coverage: Mapping[tuple[str, str], tuple[int, int]]
    policies: Mapping[str, tuple[str, tuple[str, ...]]]
    gap_days: int = 0
    source_gap_days: Mapping[str, int] = field(default_factory=dict)
    source_gap_months: Mapping[str, int] = field(default_factory=dict)
    zones: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)
    level: str = "zone"
    tightness: Mapping[tuple[str, int], float] = field(default_factory=dict)
    tells: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def of(self, person: str) -> World:
        """The world with one person in it."""
        own = {
            name: tuple(r for r in getattr(self, name) if r[1] == person)
            for name in ("stays", "months", "measures", "places", "blind")
        }
        return World(**{**self.__dict__, **own, "people": (person,)})


def first_day(month: int) -> dt.date:
    return dt.date(month // 12, month % 12 + 1, 1)


def last_day(month: int) -> dt.date:
    return first_day(month + 1) - dt.timedelta(days=1)


def month_of(day: dt.date) -> int:
    return 12 * day.year + day.month - 1


def days_of(row: Row) -> list[int]:
    return list(range(row["start"].toordinal(), row["end"].toordinal() + 1))


def stretches(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """First and last of each run of numbers that follow one another."""
    found: list[tuple[int, int]] = []
    for n in sorted(set(numbers)):
        if found and n == found[-1][1] + 1:
            found[-1] = (found[-1][0], n)
        else:
            found.append((n, n))
    return found


def millionths(dose: float) -> int:
    return math.floor(dose * MILLION + 0.5)


def summed(doses: Iterable[float | None]) -> float | None:
    told = [millionths(d) for d in doses if d is not None]
    return sum(told) / MILLION if told else None


# --- rows of one person, before overlaps ---------------------------------------------------------
def closed(world: World) -> list[Row]:
    """Rows laid out as stays, open ones ended where their source stops seeing the person."""
    rows = []
    for source, _, (kind, code), start, end, scheme, dose in world.stays:
        last = end
        if last is None:
            last = last_day(world.coverage[source, kind][1])
            for other, _, about, month in world.blind:
                # A source that shows the person in the month it lost them has found them again.
                if (other, about) == (source, kind) and month > month_of(start):
                    last = min(last, first_day(month) - dt.timedelta(days=1))
            last = max(last, start)
        days = None
        if kind in DAYS_PRESENT:
            days = OPEN_DAYS if end is None else (last - start).days + 1
        rows.append(
            {
                "source": source,
                "kind": kind,
                "code": code,
                "scheme": scheme,
                "start": start,
                "end": last,
                "days": days,
                "open": end is None,
                "dose": dose,
                # Whether the source lost the person changes nothing to what a month's dose was.
                "spread": max(start, last_day(world.coverage[source, kind][1]))
                if end is None
                else end,
            }
        )
    return rows


def runs(world: World) -> list[Row]:
    """Months told one by one, as stays."""
    told: dict[tuple[Any, ...], dict[int, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for source, _, (kind, code), month, scheme, dose in world.months:
        told[source, kind, code, scheme][month].append(dose)
    rows = []
    for (source, kind, code, scheme), months in told.items():
        gap = world.source_gap_months.get(source, 0)
        reached = {m + k for m in months for k in range(gap + 1)}
        for begin, stop in stretches(reached):
            inside = [m for m in months if begin <= m <= stop]
            doses = [summed(months[m]) for m in inside]
            rows.append(
                {
                    "source": source,
                    "kind": kind,
                    "code": code,
                    "scheme": scheme,
                    "start": first_day(min(inside)),
                    "end": last_day(max(inside)),
                    "days": None,
                    "open": False,
                    "dose": summed(doses),
                }
            )
    return rows


def doses(world: World) -> list[Row]:
    """Each dose over the days of the row that tells it."""
    by_month = [
        {
            "source": source,
            "kind": kind,
            "code": code,
            "scheme": scheme,
            "start": first_day(month),
            "end": last_day(month),
            "days": None,
            "open": False,
            "dose": dose,
        }
        for source, _, (kind, code), month, scheme, dose in world.months
    ]
    return [r for r in (*closed(world), *by_month) if r["dose"] is not None]


def outranked(world: World, rows: list[Row], told: list[Row]) -> list[Row]:
    """Rows of kinds with an order of sources, without the days a better source calls otherwise."""
    pieces = []
    for row in rows:
        policy, order = world.policies.get(row["kind"], ("", ()))
        if policy != "priority":
            pieces.append(row)
            continue
        rank = {source: k for k, source in enumerate(order)}
        own = rank.get(row["source"], len(order))
        free = [
            day
            for day in days_of(row)
            if not any(
                other["kind"] == row["kind"]
                and other["code"] != row["code"]
                and rank.get(other["source"], len(order)) < own
                and other["start"].toordinal() <= day <= other["end"].toordinal()
                for other in told
            )
        ]
        for begin, stop in stretches(free):
            share = (stop - begin + 1) / len(days_of(row))
            dose = None if row["dose"] is None else row["dose"] * share
            bounds = {"start": dt.date.fromordinal(begin), "end": dt.date.fromordinal(stop)}
            pieces.append({**row, **bounds, "dose": dose, "whole": row})
    return pieces


# --- stays ---------------------------------------------------------------------------------------
def joined(world: World, rows: list[Row]) -> list[Row]:
    """Rows of one state and scheme that meet, or nearly, as one stay."""
    states: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        states[row["kind"], row["code"], row["scheme"]].append(row)
    stays = []
    for (kind, code, scheme), same in states.items():
        reached: set[int] = set()
        for row in same:
            gap = world.source_gap_days.get(row["source"], 0) or world.gap_days
            reached |= set(range(row["start"].toordinal(), row["end"].toordinal() + gap + 1))
        for begin, stop in stretches(reached):
            inside = [r for r in same if begin <= r["start"].toordinal() <= stop]
            lengths = [r["days"] for r in inside if r["days"] is not None]
            stays.append(
                {
                    "kind": kind,
                    "code": code,
                    "scheme": scheme,
                    "start": min(r["start"] for r in inside),
                    "end": max(r["end"] for r in inside),
                    "days": max(lengths, default=None),
                    "open": any(r["open"] for r in inside),
                    "dose": summed(r["dose"] for r in inside),
                }
            )
    return stays


def spells(world: World) -> list[Row]:
    """Stays of one person."""
    told = [*closed(world), *runs(world)]
    rows = outranked(world, told, told)
    found: list[Row] = []
    for kind in CODES:
        policy = world.policies.get(kind, ("keep" if kind == "employment" else "union", ()))[0]
        own = [r for r in rows if r["kind"] == kind]
        if policy != "keep":
            found += joined(world, own)
            continue
        found += [r for r in own if not world.source_gap_days.get(r["source"])]
        for source in SOURCES:
            if not world.source_gap_days.get(source):
                continue
            for stay in joined(world, [r for r in own if r["source"] == source]):
                whole = OPEN_DAYS if stay["open"] else (stay["end"] - stay["start"]).days + 1
                found.append({**stay, "days": None if stay["days"] is None else whole})
    return found


# --- months --------------------------------------------------------------------------------------
def seen(world: World, kind: str, code: str, month: int) -> bool:
    """Whether some source that tells the state sees the person that month."""
    for source in SOURCES:
        first, last = world.coverage[source, kind]
        tells = code in world.tells.get((source, kind), CODES[kind])
        if tells and first <= month <= last and not _lost(world, source, kind, month):
            return True
    return False


def _lost(world: World, source: str, kind: str, month: int) -> bool:
    shown = [month_of(r[3]) for r in world.stays if r[0] == source]
    shown += [r[3] for r in world.months if r[0] == source]
    return any(
        (other, about) == (source, kind)
        and lost <= month
        and not any(lost <= again <= month for again in shown)
        for other, _, about, lost in world.blind
    )


def commune(world: World, month: int) -> str | None:
    """Where the person lives as of a month."""
    told: dict[tuple[str, str], set[int]] = defaultdict(set)
    for source, _, place, first, last in world.places:
        stop = month if last is None else min(last, month)
        told[source, place] |= set(range(first, stop + 1))
    best = []
    for (source, place), months in told.items():
        if months:
            begin, latest = stretches(months)[-1]
            best.append((-latest, -begin, source, place))
    return min(best)[3] if best else None


def market(world: World) -> str | None:
    """Zone of the first month in which one is known."""
    begins = [p[3] for p in world.places]
    ends = [p[3] if p[4] is None else p[4] + 1 for p in world.places]
    for month in range(min(begins, default=0), max([*begins, *ends], default=-1) + 1):
        zone = world.zones.get(commune(world, month) or "", (None, None))[0]
        if zone is not None:
            return zone
    return None


def month_row(
    world: World, month: int, *, told: list[Row], dosed: list[Row], names: Iterable[str]
) -> Row:
    """A person's row of the panel."""
    begin, stop = first_day(month).toordinal(), last_day(month).toordinal()
    row: Row = {}
    for kind, codes in CODES.items():
        inside = [
            s
            for s in told
            if s["kind"] == kind
            and any(begin <= d <= stop for d in days_of(s))
            and s["code"] in codes
        ]
        known = [code for code in codes if seen(world, kind, code, month)]
        if any(s["code"] in known for s in inside):
            row[kind] = 1
        else:
            row[kind] = 0 if len(known) == len(codes) else None
        for code in codes:
            sees = code in known
            own = [s for s in inside if s["code"] == code]
            lengths = [
                sum(d <= stop for d in days_of(s)) if s["days"] is None else s["days"] for s in own
            ]
            name = f"{kind}_{code}"
            row[name] = max(lengths, default=0) if sees else None
            schemes = sorted({s["scheme"] for s in own if s["scheme"] is not None})
            row[f"{name}_scheme"] = "+".join(schemes) or None if sees else None
            amount = 0
            for dose in dosed:
                if (dose["kind"], dose["code"]) == (kind, code):
                    amount += _of_month(dose, begin, stop)
            row[f"{name}_intensity"] = amount / MILLION if sees else None
    for name in names:
        values = [v for _, _, n, m, v in world.measures if (n, m) == (name, month)]
        row[f"measure_{name}"] = max(values, default=None)
    row["commune"] = commune(world, month)
    zone, departement = world.zones.get(row["commune"] or "", (None, None))
    row |= {"zone": zone, "departement": departement}
    place = zone if world.level == "zone" else departement
    row["tightness"] = None if place is None else world.tightness.get((place, month))
    return row


def _of_month(dose: Row, begin: int, stop: int) -> int:
    """Millionths of a dose on the days of a month that its row keeps, whole ones by each day's end."""
    whole = dose.get("whole", dose)
    days = days_of({**whole, "end": whole.get("spread", whole["end"])})
    kept, total = set(days_of(dose)), millionths(whole["dose"])
    return sum(
        total * (k + 1) // len(days) - total * k // len(days)
        for k, day in enumerate(days)
        if day in kept and begin <= day <= stop
    )


def panel(world: World, first: int, last: int) -> dict[tuple[str, int], Row]:
    """Every row, by identifier and month."""
    names = sorted({m[2] for m in world.measures})
    found = {}
    for person in world.people:
        own = world.of(person)
        told = spells(own)
        dosed = outranked(own, doses(own), [*closed(own), *runs(own)])
        for month in range(first, last + 1):
            found[person, month] = month_row(own, month, told=told, dosed=dosed, names=names)
    return found
