"""The language of mapping files: one module per thing it speaks of, ``whole.py`` for the file."""

from whatworks.sources.mapping.attributes import Attribute
from whatworks.sources.mapping.dates import DateColumn, EndColumn, MonthColumns, Vintage
from whatworks.sources.mapping.json_schema import json_schema
from whatworks.sources.mapping.people import Identity, Linkage, Objections, PersonKey
from whatworks.sources.mapping.source import AUTO, Source
from whatworks.sources.mapping.states import CodeColumn
from whatworks.sources.mapping.territories import Territories
from whatworks.sources.mapping.whole import Mapping, files_of, load

__all__ = [
    "AUTO",
    "Attribute",
    "CodeColumn",
    "DateColumn",
    "EndColumn",
    "Identity",
    "Linkage",
    "Mapping",
    "MonthColumns",
    "Objections",
    "PersonKey",
    "Source",
    "Territories",
    "Vintage",
    "files_of",
    "json_schema",
    "load",
]
