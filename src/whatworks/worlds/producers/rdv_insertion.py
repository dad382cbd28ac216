"""Users and orientations of the département's tool.

Everyone who will enter job search, social participation or access to rights is oriented twice: towards job
search first, by an orientation nobody closes, then towards what they enter. Habits: numbers of
affiliation without their zeros, or with some added; orientations left open; birth names missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from whatworks.worlds.producers.cnaf_rsa_xml import matricule
from whatworks.worlds.producers.extract import Extract
from whatworks.worlds.producers.files import File, delimited, iso

CATEGORIES: Final = {
    "job_search": ("pro", "Parcours emploi"),
    "social_participation": ("socio_pro", "Parcours socio-professionnel"),
    "access_to_rights": ("social", "Parcours social"),
}
BEFORE: Final = 75
"""Days between the first orientation and the second."""
REPEATED: Final = 2
"""Orientations written twice."""
_USERS: Final = (
    *("id", "affiliation_number", "role", "nir", "france_travail_id", "title", "first_name"),
    *("last_name", "birth_name", "birth_date", "rights_opening_date"),
)


def files(extract: Extract) -> Iterator[File]:
    """Users and their orientations."""
    yield delimited("users.csv", _USERS, [_user(extract, p) for p in extract.persons])
    rows = []
    for person in extract.persons:
        kind = extract.accompaniment(person) or ""
        if kind not in CATEGORIES:
            continue
        first, last = extract.stay(person)
        rows.append(_orientation(person, "job_search", iso(first - BEFORE), ""))
        rows.append(_orientation(person, kind, iso(first), iso(last)))
    numbered = [(str(k + 1), *row) for k, row in enumerate(rows)]
    header = ("id", "user_id", "orientation_type", "casf_category", "starts_at", "ends_at")
    yield delimited("orientations.csv", header, numbered + numbered[:REPEATED])


def user(person: int) -> str:
    """Number of a user."""
    return str(50_000 + person)


def _orientation(person: int, kind: str, start: str, end: str) -> tuple[str, ...]:
    category, label = CATEGORIES[kind]
    return (user(person), label, category, start, end)


def _user(extract: Extract, person: int) -> tuple[str, ...]:
    who = extract.identities[person]
    number = matricule(person)
    affiliation = (number, str(int(number)), f"00{number}")[person % 3]
    return (
        *(user(person), affiliation, "demandeur", who.nir if person % 2 else "", ""),
        "monsieur" if who.sex == "M" else "madame",
        *(who.first_name.title(), who.usage_name.title()),
        *(who.birth_name.title() if person % 5 else "", who.born, "2021-01-04"),
    )
