"""What a mapping says of XML files: which element is a row, and where its columns are."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from whatworks.sources.mapping.strict import Strict


class Markup(Strict):
    """Elements of an XML file as rows and columns.

    Parameters
    ----------
    unit : str
        Name of the element held in memory at once, such as a household: rows and what they share
        lie inside.
    row : str
        Path from the unit to the elements that are rows; ``.`` when the unit is the row.
    columns : mapping of name to path
        ``NOM`` starts at the row, ``../PAIE/ETAT`` goes up from it (as far as the unit), and
        ``/RACINE/ENTETE/DATE`` is a part of the file that comes before the units.
    """

    unit: str
    row: str = "."
    columns: Annotated[dict[str, str], Field(min_length=1)]
