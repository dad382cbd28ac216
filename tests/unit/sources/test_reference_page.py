"""The reference of the mapping language does what it says: its example runs, its keys are all there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest
from pydantic import BaseModel

from unit.sources.folder import Folder
from whatworks.sources import read
from whatworks.sources.mapping import Attribute, CodeColumn, EndColumn, MonthColumns
from whatworks.sources.mapping import Mapping, Source

PAGE: Final = (Path(__file__).parents[3] / "docs/reference/mapping.md").read_text(encoding="utf-8")
BLOCKS: Final = re.findall(r"```\{code-block\} \w+\n:caption: (\S+)\n\n(.*?)```", PAGE, re.DOTALL)


def block(caption: str) -> str:
    (text,) = [text for name, text in BLOCKS if name == caption]
    return text


def test_example_gives_the_printed_ledger(folder: Folder) -> None:
    for name in ("personnes.csv", "contrats.csv", "sources.toml"):
        folder.file(name, block(name))
    records = read(folder.path / "sources.toml", connection=folder.connection)
    printed = [line.split() for line in block("ledger").splitlines()]
    ledger = records.ledger.frame().to_string(index=False)
    assert [line.split() for line in ledger.splitlines()] == printed


@pytest.mark.parametrize("part", [text for name, text in BLOCKS if name == "part"])
def test_parts_are_mappings(part: str) -> None:
    assert Mapping.model_validate(tomllib.loads(f"schema = 1\n{part}")).sources


@pytest.mark.parametrize("model", [Mapping, Source, CodeColumn, EndColumn, MonthColumns, Attribute])
def test_every_key_is_described(model: type[BaseModel]) -> None:
    described = set(re.findall(r"`([a-z_]+)`", PAGE))
    keys = {field.alias or name for name, field in model.model_fields.items()}
    assert keys <= described


def test_every_reason_is_described() -> None:
    folder = Path(__file__).parents[3] / "src/whatworks/sources"
    code = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    counted = re.findall(r'reason="([a-z_]+)"|dropped\["([a-z_]+)"\]|\{"(same_person)"', code)
    refusing = {"no_person", "unreadable_month"}
    reasons = {"".join(names) for names in counted} - refusing
    table = set(re.findall(r"^\| `([a-z_]+)` \|", PAGE, re.MULTILINE))
    assert reasons == table
