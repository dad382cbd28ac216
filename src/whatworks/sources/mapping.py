"""The mapping file: one table of a TOML file per raw source, read and checked before any data.

Every key is declared below; an unknown one is an error that names the file, the key and the
nearest key that exists. ``docs/reference/mapping.md`` shows the language by example.
"""

from __future__ import annotations

import codecs
import glob
import hashlib
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from whatworks.errors import MappingError, suggestion
from whatworks.sources.columns import (
    DAY_PARTS,
    MONTH_PARTS,
    Attribute,
    CodeColumn,
    DateColumn,
    EndColumn,
    MonthColumns,
    OnProblem,
    PersonKey,
    Strict,
    check_format,
)
from whatworks.sources.toml_problems import misuse, plain_problem
from whatworks.vocabulary import (
    ENTRY_MONTH,
    MARKET,
    MONTH,
    NONE,
    PERSON,
    SATURATION,
    STRATUM,
    TREATED,
    UNIT,
    WEIGHT,
    Kind,
)

__all__ = ["Attribute", "Mapping", "Source", "files_of", "load", "plain_problem"]

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
MonthLabel = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
LayoutName = Literal["persons", "spells", "snapshots", "wide"]

_NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "persons": ("attributes",),
    "spells": ("start", "end", "code", "coverage"),
    "snapshots": ("month", "code"),
    "wide": ("months", "code"),
}
"""Keys a layout cannot do without."""
_ALSO: Final[dict[str, tuple[str, ...]]] = {
    "persons": (),
    "spells": ("kind", "end_before_start", "strangers", "declared_by_operator"),
    "snapshots": ("kind", "coverage", "strangers", "declared_by_operator"),
    "wide": ("kind", "coverage", "strangers", "declared_by_operator"),
}
"""Keys a layout has a use for."""
_BY_LAYOUT: Final = frozenset(
    key for table in (_NEEDED, _ALSO) for t in table.values() for key in t
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
    *Kind,
)


class Source(Strict):
    """One kind of raw file."""

    layout: LayoutName
    files: str
    """Glob, relative to the mapping file."""
    encoding: str = "utf-8"
    separator: str = ";"
    quote: str = '"'
    final_newline: Literal["required", "optional"] = "required"
    """A last line without its line break is how a file cut in the middle looks."""
    person: PersonKey
    kind: Kind | None = None
    coverage: tuple[MonthLabel, MonthLabel] | None = None
    start: DateColumn | None = None
    end: EndColumn | None = None
    month: DateColumn | None = None
    months: MonthColumns | None = None
    code: CodeColumn | None = None
    attributes: dict[Name, Attribute] = Field(default_factory=dict)
    end_before_start: OnProblem = "refuse"
    duplicates: OnProblem = "refuse"
    strangers: OnProblem = "refuse"
    """Rows of persons unknown to the sources with attributes, when more than a few."""
    declared_by_operator: bool = False
    """True when the evaluated operator itself is the only witness of these rows."""

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        try:
            "".encode(encoding)
            codecs.getincrementaldecoder(encoding)
        except (LookupError, ValueError):  # ValueError: 'undefined', or a NUL in the name
            raise misuse(
                "",
                needed="an encoding such as utf-8, cp1252 or iso-8859-15",
                found=repr(encoding),
                remedy="ask the producer of the file which one it is",
            ) from None
        return encoding

    @field_validator("separator", "quote")
    @classmethod
    def _one_character(cls, mark: str) -> str:
        if len(mark) != 1 or mark in "\r\n\0":
            raise misuse("", needed="one character", found=repr(mark), remedy="write one character")
        return mark

    @model_validator(mode="after")
    def _layout_has_its_keys(self) -> Source:
        for key in _NEEDED[self.layout]:
            if not getattr(self, key):
                raise misuse(
                    key,
                    needed=f"the key {key!r}, which layout {self.layout!r} reads",
                    found="none",
                    remedy=f"add {key!r} there",
                )
        allowed = {*_NEEDED[self.layout], *_ALSO[self.layout], "attributes"}
        for key in sorted(self.model_fields_set & _BY_LAYOUT - allowed):
            raise misuse(
                key,
                needed=f"keys that layout {self.layout!r} reads",
                found=f"{key!r}",
                remedy="remove it or correct the layout",
            )
        return self

    @model_validator(mode="after")
    def _keys_agree(self) -> Source:
        if self.coverage is not None and self.coverage[1] < self.coverage[0]:
            raise misuse(
                "coverage",
                needed="a first month, then a last month not before it",
                found=" to ".join(self.coverage),
                remedy="exchange or correct the two months",
            )
        for key in ("start", "end"):
            if (day := getattr(self, key)) is not None:
                check_format(day.format, DAY_PARTS, key=f"{key}.format", example="%d/%m/%Y")
        if self.month is not None:
            check_format(self.month.format, MONTH_PARTS, key="month.format", example="%Y-%m")
        if self.separator == self.quote:
            raise misuse(
                "quote",
                needed="a quote other than the separator",
                found=repr(self.quote),
                remedy="correct one of the two",
            )
        return self

    @model_validator(mode="after")
    def _code_fits_layout(self) -> Source:
        if self.code is None:
            return self
        if self.layout == "wide" and (self.code.constant or self.code.column):
            raise misuse(
                "code",
                needed="'values' alone: in layout 'wide' the months' columns hold the codes",
                found="'constant' or 'column'",
                remedy="remove it and list raw codes in 'values'",
            )
        if self.layout != "wide" and self.code.values and self.code.column is None:
            raise misuse(
                "code.column",
                needed="the column that holds the raw codes",
                found="none",
                remedy="add 'column' there",
            )
        for text in self._written_states():
            self._check_state(text)
        return self

    def _check_state(self, text: str) -> None:
        kind, _, code = text.rpartition(":")
        if not kind and self.kind is None:
            raise misuse(
                "code",
                needed="'kind' for the source, or every code written kind:code",
                found=f"{text!r} without a kind",
                remedy=f"write for instance employment:{text}",
            )
        if kind and kind not in list(Kind):
            raise misuse(
                "code",
                needed=f"one of the kinds {', '.join(Kind)} before the colon",
                found=repr(text),
                remedy=suggestion(kind, Kind) or "choose one of those",
            )
        if code == NONE:
            raise misuse(
                "code",
                needed="codes that name a state",
                found=f"the code {NONE!r}",
                remedy="list under code.none the raw codes that mean nothing to record",
            )

    def _written_states(self) -> tuple[str, ...]:
        if self.code is None:
            return ()
        return (self.code.constant,) if self.code.constant else tuple(self.code.values.values())

    def state(self, text: str) -> tuple[str, str]:
        """Kind and code of a state as the mapping writes it."""
        kind, _, code = text.rpartition(":")
        return kind or str(self.kind), code

    @property
    def states(self) -> tuple[tuple[str, str], ...]:
        """Every kind and code this source can produce, once, in the order declared."""
        return tuple(dict.fromkeys(map(self.state, self._written_states())))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind this source can produce."""
        return tuple(dict.fromkeys(kind for kind, _ in self.states))


class Mapping(Strict):
    """The whole file."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    title: str = ""
    sources: dict[Name, Source]

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
    for name, source in mapping.sources.items():
        if not files_of(source, path):
            raise MappingError(
                what=f"{path}, key sources.{name}.files",
                needed="a glob that matches at least one file, relative to the mapping file",
                found=f"none for {source.files!r}",
                remedy="correct the glob or bring the files",
            )
    return mapping, hashlib.sha256(content).hexdigest()


def files_of(source: Source, mapping_file: Path) -> tuple[Path, ...]:
    """Raw files of a source in the order of their names.

    ``package:NAME/path`` names files that an installed package ships; the package is not imported.
    """
    base, pattern = mapping_file.parent, source.files
    if pattern.startswith(PACKAGE):
        name, _, pattern = pattern.removeprefix(PACKAGE).partition("/")
        spec = find_spec(name)
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
