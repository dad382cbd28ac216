"""The JSON Schema of mapping files: valid, complete, and at one with what `load` accepts."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from unit.sources.folder import CONTRACTS
from whatworks.sources.mapping import json_schema

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = (ROOT / "docs/reference/mapping.md").read_text(encoding="utf-8")
BLOCKS: Final = re.findall(r"```\{code-block\} toml\n:caption: (\S+)\n\n(.*?)```", PAGE, re.DOTALL)
FILES: Final = sorted(
    [
        ROOT / "data/synthetic/sources.toml",
        *(ROOT / "src/whatworks/sources/templates").glob("*.toml"),
    ]
)
SCHEMA: Final = json_schema()
VALIDATOR: Final = Draft202012Validator(SCHEMA)


def tables() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "the whole file", SCHEMA
    yield from ((n, t) for n, t in SCHEMA["$defs"].items() if "properties" in t)


def test_it_is_a_schema_and_the_same_at_each_call() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.dumps(json_schema()) == json.dumps(SCHEMA)


@pytest.mark.parametrize("name", [name for name, _ in tables()])
def test_every_table_and_key_says_what_it_is(name: str) -> None:
    table = dict(tables())[name]
    assert table["description"]
    assert table["title"]
    assert [k for k, v in table["properties"].items() if not v.get("description")] == []
    assert table["additionalProperties"] is False
    assert "``" not in json.dumps(table)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_mappings_that_are_shipped_obey_it(path: Path) -> None:
    VALIDATOR.validate(tomllib.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(("name", "text"), BLOCKS)
def test_examples_of_the_reference_obey_it(name: str, text: str) -> None:
    head = "schema = 1\n" if name == "part" else ""
    VALIDATOR.validate(tomllib.loads(head + text))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), 2),
        (("sources", "contracts", "kind"), "employement"),
        (("sources", "contracts", "kid"), "employment"),
        (("sources", "contracts", "files"), 3),
        (("sources", "contracts", "coverage"), ["2021-01", "never"]),
        (("sources", "contracts", "coverage"), ["2021-01"]),
        (("sources", "contracts", "person", "strip"), "all"),
        (("sources", "contracts", "person", "via"), {"files": "b.csv", "to": "x"}),
        (("sources", "contracts", "where"), [{"colum": "x", "one_of": ["y"]}]),
    ],
)
def test_it_sees_what_is_wrong(path: tuple[str, ...], value: object) -> None:
    mapping = tomllib.loads(f"schema = 1\n{CONTRACTS}")
    VALIDATOR.validate(mapping)
    faulty = copy.deepcopy(mapping)
    here = faulty
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    assert not VALIDATOR.is_valid(faulty)
