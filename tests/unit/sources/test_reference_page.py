"""The reference of the mapping language does what it says: its example runs, its keys are all there."""

from __future__ import annotations

import importlib
import pkgutil
import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest
from pydantic import BaseModel

from unit.sources.folder import Folder
from whatworks.months import to_label
from whatworks.sources import mapping, read
from whatworks.sources.mapping import Attribute, Mapping, PersonKey, Source
from whatworks.sources.mapping.markup import Markup
from whatworks.sources.mapping.territories import Tightness
from whatworks.sources.rows.objections import OBJECTED

PAGE: Final = (Path(__file__).parents[3] / "docs/reference/mapping.md").read_text(encoding="utf-8")
BLOCKS: Final = re.findall(r"```\{code-block\} \w+\n:caption: (\S+)\n\n(.*?)```", PAGE, re.DOTALL)


def block(caption: str) -> str:
    (text,) = [text for name, text in BLOCKS if name == caption]
    return text


@pytest.mark.parametrize(
    ("file", "raw", "ledger"),
    [
        ("sources.toml", ("personnes.csv", "contrats.csv"), "ledger"),
        ("extracts.toml", ("rsa_202103.csv", "rsa_202104.csv"), "ledger_of_extracts"),
    ],
)
def test_example_gives_the_printed_ledger(
    folder: Folder, file: str, raw: tuple[str, ...], ledger: str
) -> None:
    for name in (file, *raw):
        folder.file(name, block(name))
    records = read(folder.path / file, connection=folder.connection)
    printed = [line.split() for line in block(ledger).splitlines()]
    written = records.ledger.frame().to_string(index=False)
    assert [line.split() for line in written.splitlines()] == printed


def test_months_of_the_example_that_may_still_change(folder: Folder) -> None:
    for name in ("extracts.toml", "rsa_202103.csv", "rsa_202104.csv"):
        folder.file(name, block(name))
    (one,) = read(folder.path / "extracts.toml", connection=folder.connection).coverage
    assert [to_label(m) for m in (one.first, one.last, one.unsettled or 0)] == [
        "2021-01",
        "2021-03",
        "2021-03",
    ]


@pytest.mark.parametrize("part", [text for name, text in BLOCKS if name == "part"])
def test_parts_are_mappings(part: str) -> None:
    assert Mapping.model_validate(tomllib.loads(f"schema = 1\n{part}")).sources


def tables(module: ModuleType) -> list[type[BaseModel]]:
    return [
        table
        for table in vars(module).values()
        if isinstance(table, type)
        and issubclass(table, BaseModel)
        and table.__module__ == module.__name__
    ]


MODELS: Final = [
    table
    for found in pkgutil.iter_modules(mapping.__path__, f"{mapping.__name__}.")
    for table in tables(importlib.import_module(found.name))
]


def test_every_table_of_the_language_is_looked_at() -> None:
    assert {Mapping, Source, Attribute, PersonKey, Markup, Tightness} <= set(MODELS)
    assert len(MODELS) > 30


@pytest.mark.parametrize("model", MODELS)
def test_every_key_is_described(model: type[BaseModel]) -> None:
    described = set(re.findall(r"`([a-z_]+)`", PAGE))
    keys = {field.alias or name for name, field in model.model_fields.items()}
    assert keys <= described


def test_every_reason_is_described() -> None:
    folder = Path(__file__).parents[3] / "src/whatworks/sources"
    code = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    counted = re.findall(r'reason="([a-z_]+)"|dropped\["([a-z_]+)"\]|\{"(same_person)"', code)
    refusing = {"no_person", "unreadable_month", "unreadable_order", "two_places"}
    reasons = {"".join(names) for names in counted} - refusing | {OBJECTED, "filtered"}
    table = set(re.findall(r"^\| `([a-z_]+)` \|", PAGE, re.MULTILINE))
    assert reasons | {"person_unknown"} == table
    others = set(re.findall(r'"([a-z_]+)": (?:[a-z_]+ - |len|before|listed)', code))
    assert others - table <= set(re.findall(r"`([a-z_]+)`", PAGE))
