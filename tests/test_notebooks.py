"""The notebooks run from beginning to end, on small budgets; the documentation has them with their own."""

import pathlib
import re

import pytest

NOTEBOOKS = pathlib.Path(__file__).resolve().parents[1] / "docs" / "notebooks"
BUDGETS = {"EPOCHS": "2", "MINUTES": "0.05"}

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    # With these a kernel would not show what C++ writes on standard error.
    for name in ("PYTEST_CURRENT_TEST", "TF_CPP_MIN_LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    nbformat = pytest.importorskip("nbformat", reason="the extra docs is not installed")
    client = pytest.importorskip("nbclient")
    book = nbformat.read(path, as_version=4)
    for cell in book.cells:
        for name, value in BUDGETS.items():
            cell.source = re.sub(rf"^{name} = [\d.]+", f"{name} = {value}", cell.source, flags=re.M)
    client.NotebookClient(book, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    said = [output for cell in book.cells for output in cell.get("outputs", ())]
    for cell in book.cells:
        if cell.source.endswith(".plot();"):
            assert ["image/png" in output.data for output in cell.outputs] == [True], cell.source
    assert not [output.text for output in said if output.get("name") == "stderr"]
    assert not [output.text for output in said if "tensorflow" in output.get("text", "").lower()]
