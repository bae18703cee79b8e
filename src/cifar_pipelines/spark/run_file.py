"""`run.json` in the log folder of a run with Spark: whose run it is, for those that look for its logs afterwards."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cifar_pipelines.common.whole_files import write_json

RUN_FILE = "run.json"
SUBMISSION = "CIFAR_PIPELINES_SUBMISSION"  # environment variable by which a submission knows its runs again


def write_run_file(log_dir: Path, run_id: str, run_name: str | None, application_id: str) -> None:
    """Says whose run a log folder belongs to: ids of run and application, name, and the submission that started it."""
    content = {"run_id": run_id, "run_name": run_name, "application_id": application_id}
    write_json(log_dir / RUN_FILE, content | {"submission": os.environ.get(SUBMISSION)})


def read_run_files(logs: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The log folders below a folder that say whose they are, oldest first, each with what it says."""
    for file in sorted(logs.glob(f"*/{RUN_FILE}")):
        yield file.parent, json.loads(file.read_text(encoding="utf-8"))
