"""The language of mapping files as a JSON Schema, for editors that complete and check as one types."""

from __future__ import annotations

from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema

from whatworks.sources.mapping.whole import Mapping

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema (draft 2020-12) of mapping files.

    It knows every key, its type and what it means. Rules between keys, such as that a stay needs
    an end, are checked by `whatworks.sources.load`, which also names lines.

    Returns
    -------
    dict
        To be written as JSON; the same at each call.

    Examples
    --------
    >>> json_schema()["properties"]["sources"]["description"]
    'One table for each raw source.'
    """
    schema = Mapping.model_json_schema(by_alias=True, schema_generator=_InPlainWords)
    return {"$schema": _DIALECT, **schema}


class _InPlainWords(GenerateJsonSchema):
    """Schemas whose titles and descriptions are those of our docstrings."""

    schema_dialect = _DIALECT

    def generate(self, schema: Any, mode: Any = "validation") -> dict[str, Any]:
        """Write the schema, and put what its docstrings say as an editor shows it."""
        written: dict[str, Any] = _plain(super().generate(schema, mode))
        return written


def _plain(part: Any) -> Any:
    """Descriptions on one line, without the marks of our documentation; tables titled by theirs."""
    if isinstance(part, list):
        return [_plain(item) for item in part]
    if not isinstance(part, dict):
        return part
    written = {key: _plain(value) for key, value in part.items()}
    said = written.get("description")
    if isinstance(said, str):
        text = " ".join(said.replace("``", "`").split())
        written["description"] = text
        if written.get("type") == "object" and "properties" in written:
            written["title"] = text.split(". ")[0].rstrip(".")
    return written
