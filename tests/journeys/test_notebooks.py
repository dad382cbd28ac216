"""Notebooks run from top to bottom in a fresh kernel, and are kept without their outputs."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PUBLISHED = {
    "03-crepon-2013.ipynb": ("WHATWORKS_CREPON2013", Path("crepon2013") / "JD_publicdata_12.dta"),
}
"""Notebooks on data that are not shipped: the variable that says where they are, and where tests look."""


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.name)
def path(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


@pytest.fixture
def data_at_hand(path: Path, request: pytest.FixtureRequest) -> None:
    """What the notebook reads is there, and its variable says where; it is skipped otherwise."""
    if path.name not in PUBLISHED:
        return
    variable, place = PUBLISHED[path.name]
    file: Path = request.getfixturevalue("shared_data") / place
    if not file.is_file():
        pytest.skip(f"{place.name} is not beside the project")
    request.getfixturevalue("monkeypatch").setenv(variable, str(file))


def test_there_is_a_notebook() -> None:
    assert NOTEBOOKS
    assert PUBLISHED.keys() <= {path.name for path in NOTEBOOKS}


def test_notebook_is_valid_and_stripped(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert notebook.metadata.kernelspec.name == "python3"
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.mark.usefixtures("data_at_hand")
def test_notebook_runs_draws_and_writes_a_page(path: Path, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(ROOT / "data")
    place = tmp_path / "notebooks"
    place.mkdir()
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(place)}}
    )
    client.execute()
    outputs = [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]
    assert any("image/png" in out.get("data", {}) for out in outputs)
    assert not any(out.output_type == "stream" and out.name == "stderr" for out in outputs)
    assert len(list((tmp_path / "out").glob("*/index.html"))) == 1
