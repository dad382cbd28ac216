"""Monthly XML flow of the family fund, as the schema ``vrsb0801`` lays it out.

Habits: matricules padded with blanks in one month and without their zeros in the next; names padded
to their full width; two blocks ``Prestations`` per person; children beside adults; the number of
social security left out of one household in four; closures by a move or a merger; two households
written twice; one daily flow among the monthly ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from whatworks.worlds.producers.extract import COMMUNES, Extract
from whatworks.worlds.producers.files import File, delimited
from whatworks.worlds.producers.household_files import PAID, Standing, standings
from whatworks.worlds.producers.identities import Identity
from whatworks.worlds.registers import CENTS

MONTHS: Final = range(18, 30)
HOUSEHOLDS: Final = 24
"""Persons shown as claimants; the next ones are partners of some of them."""
COUPLES: Final = 8
"""One household in so many has a partner."""
TWICE: Final = (20, 2)
"""Month, and number of its first households of one person, written twice."""
DAILY: Final = (24, 3)
"""Month, and number of its households also in a daily flow."""


def files(extract: Extract) -> Iterator[File]:
    """One flow a month, a daily one, and the crosswalk of communes."""
    for month in MONTHS:
        homes = [
            _household(extract, home, standing)
            for home in range(HOUSEHOLDS)
            for standing in standings(extract, home, MONTHS)
            if standing.month == month
        ]
        flow = _flow(extract, month, homes + _again(month, homes), kind="M")
        yield File(f"flux_rsa_{extract.compact(month)}.xml", flow)
        if month == DAILY[0]:
            flow = _flow(extract, month, homes[: DAILY[1]], kind="J")
            yield File(f"flux_rsa_{extract.compact(month)}_quotidien.xml", flow)
    yield communes()


def communes() -> File:
    """Crosswalk of the département's communes."""
    rows = [(code, f"ZE{k + 1:02d}", "00") for k, (code, _) in enumerate(COMMUNES)]
    return delimited("communes.csv", ("COM", "ZE", "DEP"), rows)


def partner(household: int) -> int | None:
    """Person who lives with a claimant, if any."""
    return HOUSEHOLDS + household // COUPLES if household % COUPLES == 0 else None


def matricule(person: int) -> str:
    """Number of a household: seven digits, the first ones zeros, the last one often too."""
    return f"{12_000 + 35 * person:07d}"


def _again(month: int, homes: list[str]) -> list[str]:
    if month != TWICE[0]:
        return []
    return [home for home in homes if home.count("<Personne>") == 1][: TWICE[1]]


def _flow(extract: Extract, month: int, homes: list[str], *, kind: str) -> bytes:
    label = extract.label(month)
    head = (
        f"<APPLIEME>CRI</APPLIEME><NUMVERSIONAPPLIEME>0801</NUMVERSIONAPPLIEME><TYPEFLUX>{kind}"
        f"</TYPEFLUX><NATFLUX>B</NATFLUX><DTCREAFLUX>{label}-28</DTCREAFLUX>"
        f"<HEUCREAFLUX>06:00:00</HEUCREAFLUX><DTREF>{label}-01</DTREF>"
    )
    foot = f"<NBINFOSFOYERRSA>{len(homes)}</NBINFOSFOYERRSA>"
    return "\n".join(
        (
            '<?xml version="1.0" encoding="UTF-8"?>',
            "<Racine>",
            f"<IdentificationFlux>{head}</IdentificationFlux>",
            *homes,
            f"<TransmissionFlux>{foot}</TransmissionFlux>",
            "</Racine>\n",
        )
    ).encode()


def _household(extract: Extract, home: int, standing: Standing) -> str:
    number = matricule(home)
    written = f"{number:<15}" if standing.month % 2 == 0 else str(int(number))
    commune, postcode = extract.commune(home)
    members = [_person(extract.identities[home], home, role="DEM")]
    if (other := partner(home)) is not None:
        members.append(_person(extract.identities[other], other, role="CJT"))
    if int(extract.world.persons.children[home]):
        members.append(_child(extract.identities[home]))
    return (
        "<InfosFoyerRSA>"
        f"<IdentificationRSA><Organisme><FONORG>CAF</FONORG><NUMORG>001</NUMORG><MATRICULE>{written}"
        "</MATRICULE></Organisme><DemandeRSA><DTDEMRSA>2021-01-04</DTDEMRSA><NUMDEMRSA>"
        f"{home + 1:011d}</NUMDEMRSA></DemandeRSA></IdentificationRSA>"
        f"{''.join(members)}"
        "<DonneesAdministratives><Adresse><AdresseDetailleeFrance>"
        f"<NUMCOM>{commune}</NUMCOM><CODEPOS>{postcode}</CODEPOS>"
        "</AdresseDetailleeFrance></Adresse></DonneesAdministratives>"
        f"<PrestationRSA>{_benefit(extract, home, standing)}</PrestationRSA></InfosFoyerRSA>"
    )


def _benefit(extract: Extract, home: int, standing: Standing) -> str:
    end = f"<FinDroit><MOTICLORSA>{standing.motive}</MOTICLORSA></FinDroit>"
    cents = int(CENTS[int(extract.world.persons.children[home])])
    amount = f"<MTTOTDRORSA>{cents // 100}.{cents % 100:02d}</MTTOTDRORSA>"
    paid = standing.state == PAID
    return (
        f"<SituationDossierRSA><EtatDossierRSA><ETATDOSRSA>{standing.state}</ETATDOSRSA>"
        f"</EtatDossierRSA>{end if standing.motive else ''}</SituationDossierRSA>"
        "<DetailDroitRSA><TroncCommunDroitRSA><TOPSANSDOMFIXE>0</TOPSANSDOMFIXE>"
        "</TroncCommunDroitRSA>"
        f"{f'<MontantsCalculDroitRSA>{amount}</MontantsCalculDroitRSA>' if paid else ''}"
        "</DetailDroitRSA>"
    )


def _person(who: Identity, number: int, *, role: str) -> str:
    nir = f"<NIR>{who.nir}</NIR>" if number % 4 else ""
    service = (
        f"<DossierPoleEmploi><IDASSEDIC>{number + 1:08d}</IDASSEDIC></DossierPoleEmploi>"
        if number % 3 == 0
        else ""
    )
    return (
        f"<Personne><Identification><NOM>{who.usage_name:<28}</NOM><NOMNAI>{who.birth_name:<28}"
        f"</NOMNAI><PRENOM>{who.first_name:<32}</PRENOM><DTNAI>{who.born}</DTNAI>{nir}<SEXE>"
        f"{'1' if who.sex == 'M' else '2'}</SEXE></Identification>"
        f"{_roles(role)}{service}</Personne>"
    )


def _child(parent: Identity) -> str:
    return (
        f"<Personne><Identification><NOM>{parent.usage_name:<28}</NOM><NOMNAI>"
        f"{parent.usage_name:<28}</NOMNAI><PRENOM>{'CAMILLE':<32}</PRENOM><DTNAI>2016-05-04</DTNAI>"
        f"<SEXE>2</SEXE></Identification>{_roles('ENF')}</Personne>"
    )


def _roles(role: str) -> str:
    return "".join(
        f"<Prestations><NATPREST>{benefit}</NATPREST><ROLEPERS>{role}</ROLEPERS></Prestations>"
        for benefit in ("PFA", "RSA")
    )
