"""Who is there, space by space: the persons to link, and what is compared of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import ibis
import ibis.expr.operations as ops
from ibis import _

from whatworks.sources.records import Records
from whatworks.sources.scratch import Scratch
from whatworks.spells.linking import names, nir
from whatworks.spells.linking.secret import Secret, keyed
from whatworks.vocabulary import PERSON

NODE: Final = "node"
"""Number of a person of a space, in the order of identifiers."""
SPACE: Final = "space"
HASHED: Final = "hashed_id"
"""Keyed hash of the identifier: what a linked person is called by."""
NIR: Final = "nir"
VERDICT: Final = "nir_verdict"
BIRTH: Final = "birth"
BIRTH_TEXT: Final = "birth_text"
"""Eight digits: year, month, day."""
YEAR: Final = "birth_year"
DEFAULT_DAY: Final = "default_day"
"""1 where the date of birth is a 1 January, which files write when they know the year alone."""
BIRTH_NAME: Final = "birth_name"
USAGE_NAME: Final = "usage_name"
FAMILY: Final = "family"
FAMILIES: Final = "families"
FAMILY_PARTS: Final = "family_parts"
GIVEN: Final = "given"
GIVEN_FORMS: Final = "given_forms"
SEX: Final = "sex"
BIRTHPLACE: Final = "birth_commune"
COMMUNE: Final = "commune"
POSTCODE: Final = "postcode"
EMAIL: Final = "email"
PHONE: Final = "phone"
OWN: Final = "own_identifier"
KEY: Final = "key_"
WHAT: Final = "the persons to link"

TABLES: Final = ("persons", "episodes", "states", "measures", "blind", "places", "identities")
"""Tables of records that name persons."""
_TEXTS: Final = (
    *("nir", "birth_name", "usage_name", "first_names", "sex", "birth_commune", "commune"),
    *("postcode", "email", "phone"),
)
_SHARED_PHONE: Final = 9
"""Digits of a French telephone number after its prefix."""


def gather(records: Records, secret: Secret, *, scratch: Scratch) -> ibis.Table:
    """Every person of every space, with the fields that are compared.

    Parameters
    ----------
    records : Records
        Not linked yet.
    secret : Secret
    scratch : Scratch

    Returns
    -------
    ibis.Table
        One row per person of a space: ``node, space, person_id, hashed_id``, the verdict on the NIR and
        its keyed hash where it is valid, the fields above, ``key_NAME`` for
        identifiers of other spaces. Null where nobody says.
    """
    everyone = _everyone(records)
    identities = records.identities
    if identities is None:
        identities = everyone.limit(0)
    said = everyone.left_join(_typed(identities), PERSON).drop(f"{PERSON}_right")
    numbered = said.mutate(
        **{NODE: ibis.row_number().over(order_by=PERSON), SPACE: _space(said)},
    )
    compared = numbered.select(**_compared(numbered))
    hidden = keyed(compared, secret, text=NIR, purpose="nir", into=NIR, scratch=scratch)
    made = keyed(hidden, secret, text=PERSON, purpose="person", into=HASHED, scratch=scratch)
    scratch.drop(hidden)
    return made


def forget(records: Records, *, kept: Records) -> None:
    """Drop, from the engine, the tables that name the persons of records, but for those kept.

    Parameters
    ----------
    records : Records
        No longer used after this.
    kept : Records
        Whatever of ``records`` they still read stays.
    """
    for name in sorted(_held(records) - _held(kept)):
        records.connection.drop_table(name, force=True)


def _held(records: Records) -> set[str]:
    """Names, in the engine, of the tables that name persons."""
    tables = [getattr(records, name) for name in TABLES]
    found = [t.op().find(ops.DatabaseTable) for t in tables if t is not None]
    return {str(node.name) for nodes in found for node in nodes}


def _everyone(records: Records) -> ibis.Table:
    """Identifiers of all tables, each once."""
    tables = [getattr(records, name) for name in TABLES]
    return ibis.union(*(t.select(PERSON) for t in tables if t is not None), distinct=True)


def _typed(identities: ibis.Table) -> ibis.Table:
    """Identities with every field, those that the files do not have being null."""
    columns: dict[str, ibis.Value] = {
        name: identities[name].strip().nullif("") if name in identities.columns else ibis.null(str)
        for name in _TEXTS
    }
    birth = identities["birth_date"] if "birth_date" in identities.columns else ibis.null("date")
    keys = [name for name in identities.columns if name.startswith(KEY)]
    space = identities[SPACE] if SPACE in identities.columns else ibis.null(str)
    return identities.select(PERSON, *keys, space=space, birth_date=birth.cast("date"), **columns)


def _space(said: ibis.Table) -> ibis.Value:
    """The space a person's identifier begins with, where no identity tells it."""
    return ibis.coalesce(said[SPACE], said[PERSON].re_extract(r"^([a-z][a-z0-9_]*):", 1))


def _compared(said: ibis.Table) -> Mapping[str, ibis.Value]:
    """What is compared of each person."""
    birth, usage = names.folded(said.birth_name), names.folded(said.usage_name)
    number = nir.plain(said.nir)
    judged = nir.verdict(number, sex=said.sex, birth_date=said.birth_date)
    digits = said.phone.re_replace(r"[^0-9]+", "")
    families = [names.joined(birth), names.joined(usage), names.core(birth), names.core(usage)]
    plain: dict[str, ibis.Value] = {
        NODE: said[NODE],
        SPACE: said[SPACE],
        PERSON: said[PERSON],
        OWN: _identifier(said[PERSON].substr(_prefix(said))),
        VERDICT: judged,
        NIR: (judged == nir.VALID).ifelse(number.substr(0, nir.LENGTH), ibis.null(str)),
        BIRTH: said.birth_date,
        BIRTH_TEXT: said.birth_date.strftime("%Y%m%d"),
        YEAR: said.birth_date.year().cast("int32"),
        DEFAULT_DAY: _is_default(said.birth_date),
        BIRTH_NAME: families[0],
        USAGE_NAME: families[1],
        FAMILY: ibis.coalesce(families[0], families[1]),
        FAMILIES: _set(families),
        FAMILY_PARTS: _set([names.parts(birth), names.parts(usage)], flat=True),
        GIVEN: names.main_first_name(said.first_names).nullif(""),
        GIVEN_FORMS: names.first_name_forms(said.first_names),
        SEX: said.sex,
        BIRTHPLACE: said.birth_commune.upper(),
        COMMUNE: said.commune.upper(),
        POSTCODE: said.postcode,
        EMAIL: said.email.lower().re_extract(r"^\S+@\S+\.\S+$", 0).nullif(""),
        PHONE: (digits.length() >= _SHARED_PHONE).ifelse(digits.right(_SHARED_PHONE), None),
    }
    keys = {name: _identifier(said[name]) for name in said.columns if name.startswith(KEY)}
    return {**plain, **keys}


def _prefix(said: ibis.Table) -> ibis.Value:
    length = said[SPACE].length()
    starts = said[PERSON].startswith(said[SPACE] + ":") & (length > 0)
    return starts.ifelse(length + 1, 0)


def _identifier(raw: ibis.Value) -> ibis.Value:
    """An identifier without what producers pad it with: blanks, and zeros before."""
    return raw.strip().upper().re_replace("^0+", "").nullif("")


def _is_default(day: ibis.Value) -> ibis.Value:
    return ((day.month() == 1) & (day.day() == 1)).cast("int8")


def _set(values: list[ibis.Value], *, flat: bool = False) -> ibis.Value:
    """Distinct values that are known, in order; null when there is none."""
    if flat:
        empty = ibis.literal([], "array<string>")
        every = empty
        for value in values:
            every = every.concat(ibis.coalesce(value, empty))
    else:
        every = ibis.array(values).filter(_.notnull())
    kept = every.unique().sort()
    return (kept.length() > 0).ifelse(kept, ibis.null("array<string>"))
