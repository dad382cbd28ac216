"""Real people's monthly pathways: what starting training does to presence in employment.

The answer is "not established", and the report says why: entrants are few, they differ from
those who have not started by more than matching can mend, and hardly any history precedes entry.

References
----------
McVicar & Anyadike-Danes (2002), doi:10.1111/1467-985X.00641.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

STUDY: Final = Path(__file__).with_name("study.toml")
