"""What every table of a mapping file has in common: known keys, words with one spelling."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from whatworks.sources.toml_problems import misuse

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
MonthLabel = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
State = Annotated[str, Field(pattern=r"^([a-z]+:)?[a-z][a-z0-9_]*$")]
"""``code``, or ``kind:code`` in a source whose rows are of several kinds."""
OnProblem = Literal["refuse", "count"]
Sensitivity = Literal["ordinary", "identifying", "sensitive", "special_category"]
"""Who may see a field: anyone cleared, nobody after linkage, few, or (health, origin, justice...)
nobody without a legal basis written beside it."""


class Strict(BaseModel):
    """A table whose keys are all known and whose values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Guarded(Strict):
    """A column of a raw file that the product keeps, and how carefully.

    Parameters
    ----------
    sensitivity : str
    legal_basis : str
        Article or decision that allows a field of a special category.
    disclosure : str
        Name of a profile of ``[disclosure]`` that releases of it obey.
    """

    sensitivity: Sensitivity = "ordinary"
    legal_basis: str = ""
    disclosure: Name = "persons"

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
    """A small reference file beside the sources, as text with a header."""

    files: str
    """Glob, relative to the mapping file."""
    encoding: str = "utf-8"
    separator: str = ";"
    quote: str = '"'
