"""What several rooms' tests share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

HERE = Path(__file__).parent
# Tests import one another by plain names: oracles.reference, worlds of hand-worked cases.
sys.path.insert(0, str(HERE))

# The same cases every time: a change is judged by what it changes. `make search` draws new ones.
settings.register_profile("fixed", derandomize=True)
settings.register_profile("search", print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))

SHARED = HERE.parents[1] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Published microdata kept beside the project; tests skip where they are absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"published microdata not found beside the project ({folder.name}/)")
    return folder
