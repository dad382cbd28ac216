"""The door lets through what the room promises and nothing else, without quoting anybody."""

from __future__ import annotations

import ibis
import pytest
from ibis.backends.duckdb import Backend

from unit.sources.folder import PERSON, Folder
from whatworks.sources.schemas import EPISODES, STATES, check, persons_product

ONE = (
    f"select 'contracts' as source, '{PERSON}' as person_id, 'employment' as kind, 'cdi' as code,"
    " date '2021-02-01' as start, cast(null as date) as \"end\", cast(null as varchar) as scheme,"
    " cast(null as double) as intensity"
)


def table(engine: Backend, query: str) -> ibis.Table:
    name = ibis.util.gen_name("door")
    engine.raw_sql(f"create temp table {name} as {query}")
    return engine.table(name)


def test_promised_table_passes(folder: Folder) -> None:
    episodes = table(folder.connection, ONE)
    assert check(episodes, EPISODES) is episodes


def test_table_without_rows_passes(folder: Folder) -> None:
    assert check(table(folder.connection, f"{ONE} limit 0"), EPISODES).count().execute() == 0


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        (f"{ONE}, 1 as month", r"episodes\) is not .* column_in_schema"),
        (ONE.replace("date '2021-02-01'", "'2021-02-01'"), r"start: dtype\('date'\)"),
        (ONE.replace(f"'{PERSON}'", "null::varchar"), "nulls in person_id"),
        (ONE.replace(", 'cdi' as code", ""), "column_in_dataframe"),
    ],
)
def test_broken_promise_names_the_column(folder: Folder, query: str, wrong: str) -> None:
    with pytest.raises(AssertionError, match=wrong) as caught:
        check(table(folder.connection, query), EPISODES)
    assert PERSON not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_states_and_persons(folder: Folder) -> None:
    query = (
        "select 'a' as source, 'p' as person_id, 'k' as kind, 'c' as code, {} as month,"
        " 's' as scheme, 1::double as intensity"
    )
    check(table(folder.connection, query.format("1::integer")), STATES)
    with pytest.raises(AssertionError, match=r"month: dtype\('int32'\)"):
        check(table(folder.connection, query.format("1::bigint")), STATES)
    persons = "select 'p' as person_id, null::varchar as market, 1::double as age"
    check(
        table(folder.connection, persons), persons_product({"market": "category", "age": "number"})
    )
