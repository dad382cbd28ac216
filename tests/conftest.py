"""What several rooms' tests share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Tests import one another by plain names: oracles.reference, worlds of hand-worked cases.
sys.path.insert(0, str(HERE))

SHARED = HERE.parents[1] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Published microdata kept beside the project; tests skip where they are absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"published microdata not found beside the project ({folder.name}/)")
    return folder
