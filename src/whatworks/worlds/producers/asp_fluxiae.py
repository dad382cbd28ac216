"""Contracts of work integration at the paying agency, compressed, in two dated deliveries.

Habits: dates as text ``31/12/2022``; one number per person *and* structure, with a table that leads
to the person; renewals as rows of their own; a planned end beside the day the person really left;
one hash for all who were hired under a waiting number; contracts without an hour; lone quotation
marks in free text; rows that end before they start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from whatworks.worlds.producers.extract import LAST, Extract
from whatworks.worlds.producers.files import File, delimited, french, packed

PLACEHOLDER: Final = 64 * "0"
RENEWAL: Final = 120
"""Days of one contract before its renewal."""
EARLIER: Final = 60
"""Days by which a planned end exceeds the day the person left."""
WAITING, IDLE, REVERSED, PRISON, REPEATED = 3, 4, 3, 2, 2
"""Rows of persons under a waiting number, without an hour, ending before they start, of structures
in prison, written twice."""
DELIVERIES: Final = (("15072024", "060102", 42), ("15012025", "061530", LAST))
"""Day and hour in the names, and last month in which a contract of the delivery may begin."""
_CONTRACTS: Final = (
    *("contrat_id_ctr", "contrat_id_pph", "contrat_parent_id", "contrat_id_structure"),
    *("contrat_type_contrat", "contrat_date_embauche", "contrat_date_fin_contrat"),
    *("contrat_date_sortie_definitive", "contrat_mesure_disp_code", "rfc_lib_forme_contrat"),
    *("contrat_nb_heures", "contrat_salarie_rsa", "contrat_poste"),
)
_MEASURES: Final = ("ACI_DC", "EI_DC", "ETTI_DC", "AI_DC")


@dataclass(frozen=True, slots=True)
class Signed:
    """One contract or renewal; ``left`` is empty unless the person left on another day."""

    person: int
    structure: int
    renewal: int
    start: int
    planned: int
    left: str
    measure: str
    form: str
    hours: int = 300

    @property
    def employee(self) -> int:
        """Number of the person in the structure."""
        return 10 * (self.person + 1) + self.structure


def files(extract: Extract) -> Iterator[File]:
    """Contracts and employees of each delivery."""
    for day, hour, until in DELIVERIES:
        closing = int(extract.calendar.day(until + 1))
        held = [c for c in signed(extract) if c.start < closing]
        held += _at_fault(extract)
        rows = [_row(number, c) for number, c in enumerate(held, 1)]
        rows += rows[:REPEATED]
        name = f"fluxIAE_ContratMission_{day}_{hour}.csv"
        yield packed(delimited(name, _CONTRACTS, rows, separator="|"))
        name = f"fluxIAE_Salarie_{day}_{hour}.csv"
        header = ("salarie_id", "hash_nir", "salarie_annee_naissance")
        yield packed(delimited(name, header, _employees(extract, held), separator="|"))


def hashed(person: int) -> str:
    """Hash of a person, as another system computed it; fictitious."""
    return hashlib.sha256(f"fictitious person {person}".encode()).hexdigest()


def signed(extract: Extract) -> Iterator[Signed]:
    """Yield the contracts and renewals of those who entered work integration or type 6."""
    for person in extract.persons:
        kind = extract.accompaniment(person)
        if kind not in ("work_integration", "intensive_integrated"):
            continue
        form = "CDDI" if kind == "work_integration" else ("CDDI CVG", "CDDI PHC")[person % 2]
        measure = _MEASURES[person % 4] if kind == "work_integration" else "ACI_DC"
        start, last = extract.stay(person)
        renewal = 0
        while start <= last:
            end = min(start + RENEWAL - 1, last)
            final = end == last
            yield Signed(
                *(person, 1 + (renewal > 1), renewal, start),
                *(end + EARLIER if final else end, french(end) if final else ""),
                *(measure, form),
            )
            start, renewal = end + 1, renewal + 1


def _at_fault(extract: Extract) -> list[Signed]:
    """Contracts that say nothing of anyone's pathway."""
    day = int(extract.calendar.day(20))
    plain = Signed(0, 5, 0, day, day + 90, "", "ACI_DC", "CDDI")
    waiting = [replace(plain, person=200 + k) for k in range(WAITING)]
    idle = [replace(plain, person=k, hours=0) for k in range(IDLE)]
    wrong = [replace(plain, person=10 + k, left=french(day - 4)) for k in range(REVERSED)]
    prison = [replace(plain, person=20 + k, measure="ACIPA_DC") for k in range(PRISON)]
    return [*waiting, *idle, *wrong, *prison]


def _row(number: int, c: Signed) -> tuple[str, ...]:
    return (
        *(str(number), str(c.employee), str(c.employee), str(c.structure), str(c.renewal)),
        *(french(c.start), french(c.planned), c.left, c.measure, c.form, str(c.hours)),
        *("OUI-NM", 'agent "polyvalent' if number % 5 == 0 else "agent polyvalent"),
    )


def _employees(extract: Extract, held: list[Signed]) -> list[tuple[str, ...]]:
    """Each number of an employee once."""
    known = {}
    for c in held:
        inside = c.person < len(extract.identities)
        year = extract.identities[c.person].born[:4] if inside else "1990"
        known[c.employee] = (hashed(c.person) if inside else PLACEHOLDER, year)
    return [(str(number), *told) for number, told in sorted(known.items())]
