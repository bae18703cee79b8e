"""Locks on tables: no run writes a table that another run of the same folder writes or reads."""

import fcntl
import logging
import os
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

_TABLES = ("SparkTableDataset", "TableFolderDataset")


def tables_of(names: Iterable[str], catalog: Any) -> list[Path]:
    """The folders of the Spark tables among datasets of a catalog, whatever reads them."""
    tables = [name for name in names if (catalog.get_type(name) or "").endswith(_TABLES)]
    return [Path(str(catalog.get(name)._filepath)) for name in tables]


def lock_tables(written: Iterable[Path], read: Iterable[Path]) -> ExitStack:
    """Waits until this run may write some tables and read others; says so if it has to.

    However the run ends, its locks end with it. They are taken in one order, so that two runs never wait for each other.

    Returns:
        The locks; closing it frees them.
    """
    kinds = dict.fromkeys(read, fcntl.LOCK_SH) | dict.fromkeys(written, fcntl.LOCK_EX)
    with ExitStack() as locks:
        for table, kind in sorted(kinds.items()):
            if kind == fcntl.LOCK_EX:
                table.parent.mkdir(parents=True, exist_ok=True)
            if table.parent.is_dir():
                _lock(table, kind, locks)
        return locks.pop_all()


def _lock(table: Path, kind: int, locks: ExitStack) -> None:
    file = os.open(table.with_name(f".{table.name}.lock"), os.O_CREAT | os.O_RDONLY, 0o666)
    locks.callback(os.close, file)
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        doing = "writes or reads" if kind == fcntl.LOCK_EX else "writes"
        logger.info("Another run %s %s; this one goes on when that one has ended.", doing, os.path.relpath(table))
        fcntl.flock(file, kind)
    except OSError as error:  # some network file systems have no locks
        logger.warning("%s has no locks (%s): start no second run of it.", table.parent, error.strerror)
