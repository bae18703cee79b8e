from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks" / "data_analysis.ipynb"


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_is_committed_without_outputs(notebook):
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cells
    assert not any(cell.outputs or cell.execution_count for cell in cells)


@pytest.mark.parametrize("folder", [NOTEBOOK.parents[1], NOTEBOOK.parent], ids=["root", "notebooks"])
def test_runs_and_draws(notebook, folder, monkeypatch):
    for name, value in {"SOURCE": "synthetic", "TRAIN_SIZE": "400", "TEST_SIZE": "100"}.items():
        monkeypatch.setenv(f"CIFAR_PIPELINES_{name}", value)
    monkeypatch.delenv("CIFAR_PIPELINES_SOURCE_PATH", raising=False)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(figures) == 3, "both class distributions and the sample sheet"
    assert not [output for output in outputs if output.output_type in ("stream", "error")]
    tables = [output["data"]["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    assert any("<td>300</td>" in table or "<td>300.0</td>" in table for table in tables), "the image sizes"
