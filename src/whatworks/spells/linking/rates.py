"""How well did it go, and for whom? Shares of persons linked, and of links that are probably false."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import ibis
import pandas as pd
from ibis import _

from whatworks.sources.records import Records
from whatworks.spells.linking import people
from whatworks.spells.linking.keys import DOUBT
from whatworks.spells.linking.rewriting import IN_STUDY, Rewritten
from whatworks.vocabulary import CODE, NONE, PERSON

SMALLEST: Final = 11
"""Persons below whom a group is not shown."""
ALL: Final = "all"
ARM: Final = "arm"
DECADE: Final = "birth_decade"
_COLUMNS: Final = ("by", "group", "persons", "linked", "link_rate", "false_link_rate")
_UNKNOWN: Final = "unknown"


def measure(rewritten: Rewritten, members: ibis.Table) -> pd.DataFrame:
    """Rates of everyone, of each space, of each group of each characteristic, and of each arm.

    Parameters
    ----------
    rewritten : Rewritten
        Records about linked persons.
    members : ibis.Table
        ``person_id (linked), space, sex, birth_year, doubt, in_study``: one row per person of a space,
        ``doubt`` null where that person is linked to no other.

    Returns
    -------
    DataFrame
        ``by, group, persons, linked, link_rate, false_link_rate``. A person is linked when found in two
        spaces or more; ``false_link_rate`` is the mean, over linked persons, of the greatest
        probability that one of their links is false. Persons are those of the study, except by space
        and by arm, where persons who should have been found in the study and were not count too.
        Counts and rates of groups of fewer than 11 persons are null.
    """
    persons = members.group_by(PERSON).aggregate(
        is_linked=(_.count() > 1).cast("int64"), doubt=_[DOUBT].max(), inside=_[IN_STUDY].any()
    )
    study = persons.filter(_.inside)
    frames = [_rates(study.mutate(group=ibis.literal("")), ALL)]
    spaces = members.select(PERSON, group=_[people.SPACE]).distinct()
    frames.append(_rates(persons.join(spaces, PERSON), people.SPACE))
    frames += [
        _rates(study.join(groups, PERSON), by)
        for by, groups in _characteristics(rewritten.records, members)
    ]
    arms = persons.join(rewritten.accompanied.rename(group=CODE), PERSON)
    never = study.anti_join(rewritten.accompanied, PERSON).mutate(group=ibis.literal(NONE))
    return pd.concat([*frames, _rates(arms, ARM), _rates(never, ARM)])[list(_COLUMNS)].reset_index(
        drop=True
    )


def _characteristics(records: Records, members: ibis.Table) -> Iterator[tuple[str, ibis.Table]]:
    """Ways to group persons, each as ``person_id, group``."""
    own: Mapping[str, ibis.Value] = {
        people.SEX: members[people.SEX],
        DECADE: (members[people.YEAR] // 10 * 10).cast("int64").cast("string"),
    }
    for name, value in own.items():
        if name not in records.attributes:
            said = members.mutate(group=value).group_by(PERSON).aggregate(group=_.group.min())
            yield name, said.mutate(group=_.group.fill_null(_UNKNOWN))
    for name, kind in records.attributes.items():
        if kind in ("category", "boolean"):
            group = records.persons[name].cast("string").fill_null(_UNKNOWN)
            yield name, records.persons.select(PERSON, group=group)


def _rates(persons: ibis.Table, by: str) -> pd.DataFrame:
    """One row per group."""
    counted = (
        persons.group_by("group")
        .aggregate(
            persons=_.count(),
            linked=_.is_linked.sum(),
            false_link_rate=_[DOUBT].mean(where=_.is_linked == 1),
        )
        .order_by("group")
        .execute()
    )
    shown = counted["persons"] >= SMALLEST
    frame = pd.DataFrame({"by": by, "group": counted["group"].astype(str)})
    for count in ("persons", "linked"):
        frame[count] = counted[count].astype("Int64").where(shown)
    frame["link_rate"] = (counted["linked"] / counted["persons"]).astype(float).where(shown)
    frame["false_link_rate"] = counted["false_link_rate"].astype(float).where(shown)
    return frame
