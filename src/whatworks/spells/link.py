"""The verb `link`: persons that several systems know under different numbers become one.

In three ways, in this order: a valid NIR in common; another key in common, as the mapping lists them; else
the probability that two records are one person, given names, dates and places. Identities stay in this
room: what leaves it calls persons by keyed hashes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import ibis
from ibis import _

from whatworks.errors import OptionError, RefusedError, SourceRefused
from whatworks.ledger import Ledger
from whatworks.sources.mapping.people import Linkage
from whatworks.sources.problems import refusing, reworded
from whatworks.sources.records import Records
from whatworks.sources.scratch import Scratch
from whatworks.spells.linking import blocking, clusters, keys, nir, people, scoring
from whatworks.spells.linking.keys import (
    BY_NIR,
    DOUBT,
    LEFT,
    METHOD,
    PROBABILITY,
    RIGHT,
    STAGE,
    KeyPairs,
)
from whatworks.spells.linking.people import HASHED, NODE, SPACE, WHAT
from whatworks.spells.linking.scored import LEAST, PAIRS, ROOM, Scored, engine_of, together
from whatworks.spells.linking.secret import read_secret
from whatworks.vocabulary import PERSON

PROBABILISTIC: Final = "probabilistic"


def link(
    records: Records, *, linkage: Linkage | None = None, threshold: float | None = None
) -> Records:
    """Recognise the persons that several systems know.

    Parameters
    ----------
    records : Records
        With ``identities``, of at least two spaces. Left as they are: linking them again at another
        threshold gives other Records.
    linkage : Linkage, optional
        Secret, keys and threshold; by default what the mapping says under ``[link]``.
    threshold : float, optional
        Probability from which two records are one person, instead of the linkage's.

    Returns
    -------
    Records
        Every table names persons by ``person_id``, the first 32 hexadecimal digits of an HMAC-SHA256:
        the same for the same inputs and secret. ``identities`` is None and ``linked`` says how each
        link was made.

    Raises
    ------
    OptionError
        When an option cannot be followed, or the package that a probabilistic linkage needs is absent.
    RefusedError
        When there is no secret fit for use, or too little to tell persons apart.
    SourceRefused
        When a column mapped as NIR holds hashes.

    See Also
    --------
    score : The same in two steps, to compare several thresholds at little cost.

    Notes
    -----
    Persons of one space are different persons: nobody is linked to two of them. A probability is that
    of the pair given all rivals: with odds ``o`` from the model of Fellegi and Sunter [1]_, it is
    ``o / (1 + R)``, ``R`` being the greater of the sums of odds of all pairs that either record has
    in the space of the other.

    References
    ----------
    .. [1] Fellegi, I. P. and Sunter, A. B. (1969). A Theory for Record Linkage. Journal of the
       American Statistical Association, 64(328), 1183-1210. doi:10.1080/01621459.1969.10501049
    """
    scored = score(records, linkage=linkage)
    try:
        return scored.at(threshold)
    finally:
        scored.drop()


def linked(records: Records, *, progress: Callable[[str], None] = lambda _: None) -> Records:
    """Link persons where the mapping asks for it (``[link]``); otherwise records as they are.

    What commands and study files call, which have no more use for the records once they are linked:
    their tables, which name persons by the identifiers of the files, leave the engine. Errors are
    those of `link`.
    """
    if records.linkage is None:
        return records
    progress("recognising persons across systems")
    made = link(records)
    people.forget(records, kept=made)
    return made


def score(records: Records, *, linkage: Linkage | None = None) -> Scored:
    """Compare persons once; `Scored.at` then makes records at any threshold.

    Parameters and errors are those of `link`.
    """
    options = _options(records, linkage)
    secret = read_secret(options)
    with refusing(), Scratch(engine_of(records)) as scratch, reworded(people.WHAT):
        _refuse_hashes(records)
        table = people.gather(records, secret, scratch=scratch)
        _refuse_one_space(table)
        scored = _score(records, options, table, scratch=scratch)
        scratch.hand_over(scored.people, scored.groups, scored.certain, scored.probable)
        return scored


def _options(records: Records, linkage: Linkage | None) -> Linkage:
    if records.identities is None:
        raise OptionError(
            what="link",
            needed="records whose sources say who persons are (the table 'identity' of a source)",
            found="records linked already" if records.linked else "none that does",
            remedy="link the records that read() gives" if records.linked else "map those columns",
        )
    return linkage or records.linkage or Linkage()


def _refuse_hashes(records: Records) -> None:
    """Refuse a column of NIRs that somebody has hashed without a key of ours."""
    identities = records.identities
    if identities is None or "nir" not in identities.columns:
        return
    hashed = identities.filter(nir.looks_hashed(identities["nir"]))
    count = int(hashed.count().execute())
    if count:
        spaces = hashed.select(SPACE).distinct()[SPACE].execute()
        raise SourceRefused(
            what=f"identity.nir of {', '.join(sorted(s or 'the sources' for s in spaces))}",
            needed="NIRs of 13 or 15 characters, which are hashed here with a secret",
            found=f"{count:,} values written like hashes. There are so few possible NIRs that a hash "
            "made without a secret can be reversed by trying them all, and such a file still names "
            "persons",
            remedy="ask for the NIR itself; or, if the producer and you hold keyed hashes made with "
            "one secret, map the column under identity.keys and list it in [link] keys",
        )


def _refuse_one_space(table: ibis.Table) -> None:
    spaces = int(table[SPACE].nunique().execute())
    if spaces < 2:
        raise RefusedError(
            what="link",
            needed="persons of two spaces at least",
            found=str(spaces),
            remedy="write person.space in each source, or leave out [link]: sources of one space "
            "already identify persons alike",
        )


def _score(records: Records, options: Linkage, table: ibis.Table, *, scratch: Scratch) -> Scored:
    keys.check_keys(options.keys, table)
    ledger = _nir_step(table)
    groups = clusters.alone(table, scratch=scratch)
    made: list[KeyPairs] = []
    names = (BY_NIR, *keys.names_of(options.keys))
    for stage, (name, parts) in enumerate(zip(names, (("nir",), *options.keys), strict=True)):
        pairs = keys.pairs(table, parts, name=name, stage=stage, scratch=scratch)
        made.append(pairs)
        groups = clusters.joined(groups, pairs.edges, scratch=scratch)
        if pairs.holders:
            ledger = ledger.add(
                ROOM,
                f"link_{name}",
                unit="persons",
                before=pairs.holders,
                dropped={"key_shared": pairs.shared},
            )
    if options.probabilistic:
        probable, ledger = _probable(table, groups, ledger, stage=len(names), scratch=scratch)
    else:
        probable = scratch.empty("probable", ibis.schema(PAIRS))
    kept = table.select(NODE, SPACE, PERSON, HASHED, people.SEX, people.YEAR)
    return Scored(
        records=records,
        threshold=options.threshold,
        people=scratch.keep("persons_of_spaces", kept, what=WHAT),
        groups=groups,
        certain=together([pairs.edges for pairs in made], scratch=scratch),
        probable=probable,
        ledger=ledger,
    )


def _nir_step(table: ibis.Table) -> Ledger:
    """NIRs read, and why some do not count."""
    verdicts = table.filter(_[people.VERDICT].notnull()).group_by(people.VERDICT)
    counts = verdicts.aggregate(n=_.count()).order_by(people.VERDICT).execute()
    found = {str(v): int(n) for v, n in zip(counts[people.VERDICT], counts["n"], strict=True)}
    if not found:
        return Ledger()
    dropped = {f"nir_{reason}": n for reason, n in found.items() if reason != nir.VALID}
    return Ledger().add(
        ROOM, "nir", unit="identifiers", before=sum(found.values()), dropped=dropped
    )


def _probable(
    table: ibis.Table, groups: ibis.Table, ledger: Ledger, *, stage: int, scratch: Scratch
) -> tuple[ibis.Table, Ledger]:
    """Pairs more probable than not, by names, dates and places."""
    pairs, blocks, common = blocking.candidates(table, groups, scratch=scratch)
    ledger = ledger.add(
        ROOM, "link_blocks", unit="blocks", before=blocks, dropped={"too_common": common}
    )
    weights = scoring.weigh_pairs(table, pairs, scratch=scratch)
    scratch.drop(pairs)
    left, right = table.view(), table.view()
    ends = weights.join(left, weights[LEFT] == left[NODE]).join(
        right, weights[RIGHT] == right[NODE]
    )
    odds = ends.select(
        weights[LEFT],
        weights[RIGHT],
        left_space=left[SPACE],
        right_space=right[SPACE],
        odds=ibis.literal(2.0) ** weights[scoring.WEIGHT].clip(upper=500),
    )
    of_left = _.odds.sum().over(group_by=[LEFT, "right_space"])
    of_right = _.odds.sum().over(group_by=[RIGHT, "left_space"])
    rivals = odds.mutate(of_left=of_left, of_right=of_right)
    given = rivals.mutate(
        **{PROBABILITY: (_.odds / (1 + ibis.greatest(_.of_left, _.of_right))).round(9)}
    )
    likely = given.filter(_[PROBABILITY] > LEAST).mutate(
        **{
            STAGE: ibis.literal(stage, "int32"),
            METHOD: ibis.literal(PROBABILISTIC),
            DOUBT: 1 - _[PROBABILITY],
        }
    )
    made = together([likely], scratch=scratch)
    scratch.drop(weights)
    return made, ledger
