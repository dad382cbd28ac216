"""The mapping file: one table of a TOML file per raw source, read and checked before any data.

Every key is declared in this folder; an unknown one is an error that names the file, the key, its
line and the nearest key that exists. ``docs/reference/mapping.md`` shows the language by example.
"""

from __future__ import annotations

import glob
import hashlib
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from whatworks.errors import MappingError
from whatworks.sources.mapping.attributes import Attribute
from whatworks.sources.mapping.people import Linkage, Objections
from whatworks.sources.mapping.source import Source
from whatworks.sources.mapping.strict import Delimited, Guarded, Name, Strict
from whatworks.sources.mapping.territories import Territories
from whatworks.sources.toml_problems import misuse, plain_problem
from whatworks.vocabulary import (
    ENTRY_MONTH,
    HOUSEHOLD,
    MARKET,
    MONTH,
    PERSON,
    SATURATION,
    STRATUM,
    TREATED,
    UNIT,
    WEIGHT,
    Kind,
)

PACKAGE: Final = "package:"
"""Prefix of a glob inside an installed package."""
_RESERVED: Final = (
    PERSON,
    UNIT,
    MONTH,
    TREATED,
    ENTRY_MONTH,
    STRATUM,
    SATURATION,
    HOUSEHOLD,
    *Kind,
)


DEFAULT_PROFILE: Final = "persons"
"""Profile of fields that name no other; it need not be declared."""


class Profile(Strict):
    """What a release must respect (``[disclosure.NAME]``)."""

    min_count: Annotated[int, Field(ge=1)] = 11
    """Smallest number of persons behind a figure."""
    min_part: Annotated[int, Field(ge=0)] = 5
    """Smallest numerator and smallest complement."""
    round_to: Annotated[int, Field(ge=1)] = 1
    """Counts are rounded to this."""


class Mapping(Strict):
    """The whole file."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    """Version of this language."""
    title: str = ""
    """Free text."""
    sources: dict[Name, Source]
    """One table for each raw source."""
    link: Linkage | None = None
    """How persons of different spaces are recognised as one."""
    objections: Objections | None = None
    """Persons who object to their data being used."""
    territories: Territories | None = None
    """Communes and what they belong to."""
    disclosure: dict[Name, Profile] = Field(default_factory=dict)
    """Profiles that releases respect, by name."""

    @model_validator(mode="after")
    def _profiles_are_declared(self) -> Mapping:
        known = {DEFAULT_PROFILE, *self.disclosure}
        for path, table in tables_of(self):
            if isinstance(table, Guarded) and table.disclosure not in known:
                raise misuse(
                    ".".join((*path, "disclosure")),
                    needed=f"one of the profiles {', '.join(sorted(known))}",
                    found=repr(table.disclosure),
                    remedy=f"declare it as [disclosure.{table.disclosure}] or use one of those",
                )
        return self

    @model_validator(mode="after")
    def _units_agree(self) -> Mapping:
        units: dict[str, str] = {}
        for name, source in self.sources.items():
            told = {f"measures.{m}": (m, amount.unit) for m, amount in source.measures.items()}
            if source.intensity is not None:
                unit = source.intensity.unit
                told |= {
                    f"intensity ({':'.join(s)})": (f"{s[0]}:{s[1]}", unit) for s in source.states
                }
            for key, (what, unit) in told.items():
                if units.setdefault(what, unit) != unit:
                    raise misuse(
                        f"sources.{name}.{key.split(' ')[0]}.unit",
                        needed=f"one unit for {what!r}, {units[what]!r} as another source has it",
                        found=repr(unit),
                        remedy="give the two different names, or correct the unit",
                    )
        return self

    @model_validator(mode="after")
    def _sources_agree(self) -> Mapping:
        if not self.sources:
            raise misuse(
                "sources",
                needed="at least one source",
                found="none",
                remedy="add a table such as [sources.contracts]",
            )
        giver: dict[str, str] = {}
        for name, source in self.sources.items():
            for attribute, mapped in source.attributes.items():
                _check_attribute(attribute, mapped, key=f"sources.{name}.attributes.{attribute}")
                if attribute in giver:
                    raise misuse(
                        f"sources.{name}.attributes.{attribute}",
                        needed="each attribute from one source only",
                        found=f"{attribute!r} given by {giver[attribute]!r} and by {name!r}",
                        remedy="keep one of the two or give them different names",
                    )
                giver[attribute] = name
        return self


def _check_attribute(name: str, attribute: Attribute, *, key: str) -> None:
    """Refuse names that later rooms use for something else."""
    if name in _RESERVED:
        raise misuse(
            key,
            needed="a name other than the product's own columns",
            found=repr(name),
            remedy=f"call it for instance {name}_declared",
        )
    if name == WEIGHT and attribute.type != "number":
        raise misuse(
            f"{key}.type",
            needed=f"{WEIGHT!r}, the survey weight, as a number",
            found=repr(attribute.type),
            remedy="write type = 'number'",
        )
    if name == MARKET and attribute.type != "category":
        raise misuse(
            f"{key}.type",
            needed=f"{MARKET!r}, the labour market lived in, as a category",
            found=repr(attribute.type),
            remedy="write type = 'category'",
        )


def load(path: Path) -> tuple[Mapping, str]:
    """Read and check a mapping file; no data is opened.

    Parameters
    ----------
    path : Path
        A TOML file in UTF-8.

    Returns
    -------
    mapping : Mapping
    sha256 : str
        Of the file's bytes.

    Raises
    ------
    MappingError
        When the file cannot be read, is not TOML, has a key or a value that the language does
        not know, or a glob that matches no file. Names the key and its line.
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
        mapping = Mapping.model_validate(tomllib.loads(text))
    except OSError as error:
        raise MappingError(
            what=str(path),
            needed="a mapping file that can be read",
            found=(error.strerror or "no such file").lower(),
            remedy="check the path",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingError(
            what=str(path),
            needed="a TOML file in UTF-8",
            found=_syntax(error),
            remedy="correct the file at that place",
        ) from None
    except ValidationError as error:
        needed, found, remedy = plain_problem(error, text, Mapping)
        raise MappingError(what=str(path), needed=needed, found=found, remedy=remedy) from None
    for where, table in tables_of(mapping):
        if isinstance(table, Delimited) and not files_of(table, path):
            raise MappingError(
                what=f"{path}, key {'.'.join((*where, 'files'))}",
                needed="a glob that matches at least one file, relative to the mapping file",
                found=f"none for {table.files!r}",
                remedy="correct the glob or bring the files",
            )
    return mapping, hashlib.sha256(content).hexdigest()


def tables_of(table: BaseModel) -> Iterator[tuple[tuple[str, ...], BaseModel]]:
    """Every table inside one, each with the keys that lead to it, as the file writes them."""
    for name, field in type(table).model_fields.items():
        yield from _inside(getattr(table, name), (field.alias or name,))


def _inside(value: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], BaseModel]]:
    if isinstance(value, BaseModel):
        yield path, value
        yield from (((*path, *rest), table) for rest, table in tables_of(value))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _inside(item, (*path, str(key)))
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from _inside(item, (*path, str(number)))


def files_of(source: Delimited, mapping_file: Path) -> tuple[Path, ...]:
    """Raw files of a source, or of a file of reference, in the order of their names.

    ``package:NAME/path`` names files that an installed package ships; the package is not imported.
    """
    base, pattern = mapping_file.parent, source.files
    if pattern.startswith(PACKAGE):
        name, _, pattern = pattern.removeprefix(PACKAGE).partition("/")
        # A dotted name would have its parent imported; a package that ships files has a plain one.
        spec = find_spec(name) if name.isidentifier() else None
        places = [] if spec is None else list(spec.submodule_search_locations or [])
        if not places:
            raise MappingError(
                what=str(mapping_file),
                needed=f"the installed package {name!r}, which ships these files",
                found="no package of that name",
                remedy=f"install {name!r}",
            )
        base = Path(places[0])
    pattern = str(Path(glob.escape(str(base))) / pattern)
    found = glob.glob(pattern, recursive=True)  # noqa: PTH207 - Path.glob refuses absolute patterns
    return tuple(Path(name) for name in sorted(found) if not Path(name).is_dir())


def _syntax(error: tomllib.TOMLDecodeError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"bytes that are not UTF-8 (byte {error.start + 1})"
    return str(error)[:1].lower() + str(error)[1:]
