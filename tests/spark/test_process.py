import os
import sys
import tempfile
from pathlib import Path

import pytest

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.spark import process
from cifar_pipelines.spark.process import environment, foreign_variables, require_own_pyspark, temporary_folder

FOREIGN = {
    "SPARK_HOME": "/opt/nope",
    "SPARK_CONF_DIR": "/etc/spark",
    "PYSPARK_SUBMIT_ARGS": "x",
    "HADOOP_CONF_DIR": "/etc",
}


@pytest.mark.parametrize(("embedded", "unset"), [(True, set(FOREIGN)), (False, {"SPARK_HOME", "PYSPARK_SUBMIT_ARGS"})])
def test_variables_of_another_spark_are_unset_and_put_back(embedded, unset):
    with environment(FOREIGN), environment(foreign_variables(embedded)):
        assert {name for name in FOREIGN if name not in os.environ} == unset
    with environment(FOREIGN):
        with environment(foreign_variables(embedded)):
            pass
        assert {name: os.environ.get(name) for name in FOREIGN} == FOREIGN


@pytest.mark.parametrize(("version", "refused"), [("3.1.2", True), ("4.0.0", True), ("3.5.1", False)])
def test_a_pyspark_of_another_series_that_is_found_first_is_named(tmp_path, monkeypatch, version, refused):
    (tmp_path / "pyspark").mkdir()
    (tmp_path / "pyspark" / "__init__.py").write_text("raise ImportError")
    (tmp_path / "pyspark" / "version.py").write_text(f'__version__: str = "{version}"')
    monkeypatch.setattr(sys, "modules", {name: held for name, held in sys.modules.items() if name != "pyspark"})
    monkeypatch.syspath_prepend(tmp_path)
    if refused:
        with pytest.raises(
            UserError, match=f"PySpark {version} is found first, in {tmp_path}/pyspark.*needs 3.5.*PYTHONPATH"
        ):
            require_own_pyspark()
    else:
        require_own_pyspark()


def test_what_is_temporary_lies_in_a_folder_that_is_removed(tmp_path):
    before = tempfile.gettempdir()
    with temporary_folder(tmp_path / "tmp") as folder:
        held = Path(tempfile.mkdtemp())
        assert held.parent == folder == Path(os.environ["TMPDIR"]) == Path(os.environ["SPARK_LOCAL_DIRS"])
    assert not folder.exists() and tempfile.gettempdir() == before


def test_a_disk_that_is_nearly_full_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "LEAST_FREE_MB", 1e12)
    with (
        pytest.raises(UserError, match=r" MB left, but a run with Spark needs .*log_dir"),
        temporary_folder(tmp_path / "a"),
    ):
        pass


def test_text_is_utf8_on_a_host_that_says_otherwise(monkeypatch):
    assert process.text_variables() == {"PYTHONUTF8": "1"}
    monkeypatch.setattr(process, "is_utf8", lambda: False)
    assert process.text_variables()["LC_ALL"] == "C.UTF-8"
