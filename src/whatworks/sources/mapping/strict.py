"""What every table of a mapping file has in common: known keys, words with one spelling."""

from __future__ import annotations

import codecs
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from whatworks.sources.toml_problems import misuse

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
MonthLabel = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
State = Annotated[str, Field(pattern=r"^([a-z]+:)?[a-z][a-z0-9_]*$")]
"""``code``, or ``kind:code`` in a source whose rows are of several kinds."""
OnProblem = Literal["refuse", "count"]
Sensitivity = Literal["ordinary", "identifying", "sensitive", "special_category"]
"""Who may see a field: anyone cleared, nobody after linkage, few, or (health, origin, justice...)
nobody without a legal basis written beside it."""


def _known_encoding(encoding: str) -> str:
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


def _one_character(mark: str) -> str:
    if len(mark) != 1 or mark in "\r\n\0":
        raise misuse("", needed="one character", found=repr(mark), remedy="write one character")
    return mark


Encoding = Annotated[str, AfterValidator(_known_encoding)]
Mark = Annotated[str, AfterValidator(_one_character)]
"""The character that separates fields, or that encloses them."""


class Strict(BaseModel):
    """A table whose keys are all known and whose values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Guarded(Strict):
    """A column of a raw file that the product keeps, and how carefully."""

    column: str
    """Header in the file."""
    sensitivity: Sensitivity = "ordinary"
    """Who may see the field."""
    legal_basis: str = ""
    """Article or decision that allows a field of a special category."""
    disclosure: Name = "persons"
    """Profile of ``[disclosure]`` that releases of the field obey."""

    @model_validator(mode="after")
    def _allowed(self) -> Guarded:
        if self.sensitivity == "special_category" and not self.legal_basis.strip():
            raise misuse(
                "legal_basis",
                needed="the legal basis on which a field of a special category is read",
                found="none",
                remedy="write the article or decision, or do not map the field",
            )
        return self


class Delimited(Strict):
    """Files of text with a header: where they are and how they are cut into fields."""

    files: str
    """Glob, relative to the mapping file."""
    encoding: Encoding = "utf-8"
    """As Python names it, such as ``utf-8``, ``cp1252`` or ``iso-8859-15``."""
    separator: Mark = ";"
    """Character between two fields."""
    quote: Mark = '"'
    """Character around fields that hold a separator."""
    final_newline: Literal["required", "optional"] = "required"
    """A last line without its line break is how a file cut in the middle looks."""

    @model_validator(mode="after")
    def _marks_differ(self) -> Delimited:
        if self.separator == self.quote:
            raise misuse(
                "quote",
                needed="a quote other than the separator",
                found=repr(self.quote),
                remedy="correct one of the two",
            )
        return self


def check_type_keys(table: Strict, written: str, *, dated: str) -> None:
    """Refuse ``format`` beside a type other than ``dated``, ``decimal`` beside one that is no number."""
    for key, kind in (("format", dated), ("decimal", "number")):
        if key in table.model_fields_set and written != kind:
            raise misuse(
                key,
                needed=f"{key!r} only where type is {kind!r}",
                found=f"type {written!r}",
                remedy="remove the key or correct the type",
            )
