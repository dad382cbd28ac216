"""What a mapping says of characteristics of persons."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from whatworks.sources.mapping.dates import MONTH_PARTS, check_format
from whatworks.sources.mapping.strict import Guarded, OnProblem, check_type_keys
from whatworks.sources.toml_problems import misuse


class Attribute(Guarded):
    """A characteristic of the person, fixed before any accompaniment."""

    type: Literal["category", "number", "boolean", "month"]
    """What the values are; one that cannot be read as such refuses the file."""
    format: str = "%Y-%m"
    """For ``month``: how it is written."""
    decimal: Literal[".", ","] = "."
    """For ``number``: the decimal mark."""
    values: dict[str, str] = Field(default_factory=dict)
    """Optional renaming of raw values: ``""`` for unknown; for ``boolean``, ``"1"`` or ``"0"``."""
    unmapped: OnProblem = "refuse"
    """For a ``category`` that is renamed: raw values that ``values`` does not list."""

    @property
    def renamed(self) -> bool:
        """Whether ``values`` says which categories there are, not only what stands for unknown."""
        return self.type == "category" and any(self.values.values())

    @model_validator(mode="after")
    def _fits_its_type(self) -> Attribute:
        check_type_keys(self, self.type, dated="month")
        if "unmapped" in self.model_fields_set and not self.renamed:
            raise misuse(
                "unmapped",
                needed="'unmapped' only where 'values' renames the values of a category",
                found=f"type {self.type!r} without such a renaming",
                remedy="remove the key, or list the categories under 'values'",
            )
        if self.type == "month":
            check_format(self.format, MONTH_PARTS, key="format", example="%Y-%m")
        wrong = [
            v for v in self.values.values() if self.type == "boolean" and v not in ("1", "0", "")
        ]
        if wrong:
            raise misuse(
                "values",
                needed="'1', '0' or '' for every raw value of a boolean",
                found=repr(wrong[0]),
                remedy="write '1' for true, '0' for false, '' for unknown",
            )
        return self
