import logging
import threading
from contextlib import closing

import pytest
from kedro.io import DataCatalog

from cifar_pipelines.datasets.table_locks import lock_tables, tables_of

READS = """
import sys, time
from pathlib import Path
from cifar_pipelines.datasets.table_locks import lock_tables
with lock_tables([], [Path(sys.argv[1])]):
    print("locked", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def table(tmp_path):
    return tmp_path / "deep" / "images"


def waits(written, read):
    """Whether these locks cannot be had now, and the thread that waits for them."""
    taken = threading.Event()

    def second():
        with lock_tables(written, read):
            taken.set()

    thread = threading.Thread(target=second, daemon=True)
    thread.start()
    thread.join(0.3)
    return not taken.is_set(), thread


@pytest.mark.parametrize(
    ("first", "second", "waiting"), [("w", "w", True), ("w", "r", True), ("r", "w", True), ("r", "r", False)]
)
def test_a_run_that_writes_a_table_has_it_alone(table, caplog, first, second, waiting):
    caplog.set_level(logging.INFO)
    lock_tables([table], []).close()  # which makes the folder
    locks = lock_tables(*(([table], []) if first == "w" else ([], [table])))
    waited, thread = waits(*(([table], []) if second == "w" else ([], [table])))
    assert waited == waiting == ("goes on when that one has ended" in caplog.text)
    locks.close()
    thread.join(10)
    assert not thread.is_alive()


def test_a_table_that_is_read_and_written_is_locked_once(table):
    with closing(lock_tables([table], [table])):
        pass
    assert [file.name for file in table.parent.iterdir()] == [".images.lock"]


def test_reading_a_table_that_was_never_made_makes_no_folder(table):
    lock_tables([], [table]).close()
    assert not table.parent.exists()


def test_a_run_that_is_killed_leaves_no_lock(table, start_python):
    lock_tables([table], []).close()
    other = start_python(READS, table)
    assert other.stdout.readline() == "locked\n"
    other.kill()
    other.wait()
    lock_tables([table], []).close()


def test_only_spark_tables_are_locked_whatever_reads_them(tmp_path):
    kinds = {
        "images": ("SparkTableDataset", "filepath"),
        "table": ("TableFolderDataset", "path"),
        "folder": ("FolderDataset", "path"),
    }
    config = {
        name: {"type": f"cifar_pipelines.datasets.{kind}", key: str(tmp_path / name)}
        for name, (kind, key) in kinds.items()
    }
    tables = tables_of([*kinds, "params:x"], DataCatalog.from_config(config))
    assert tables == [tmp_path / "images", tmp_path / "table"]
