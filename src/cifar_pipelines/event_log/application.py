"""Where the time of a run went: from Spark's event log, and what its run records know, to one small JSON file."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cifar_pipelines.event_log.components import Measured, group_of_stages, split_application, worker_tasks
from cifar_pipelines.event_log.reader import read_event_log
from cifar_pipelines.event_log.timeline import timeline_of

SCHEMA_VERSION = 1
LARGE_REMAINDER = 0.1  # a share above which it is worth a note


def application_record(
    log_file: Path, run_id: str, setting: str, measured: Mapping[str, Measured], notes: Iterable[str] = ()
) -> dict[str, Any]:
    """Reads an event log and says where the time went.

    Args:
        log_file: The event log.
        run_id: Id of the run, as in its run records.
        setting: Name of the parallelism setting.
        measured: What the run's own run records know of their job groups, by the ids of the groups.
        notes: What they say of it in sentences.

    Returns:
        What is written as JSON: the application, its components, those of every job group, a timeline, notes.

    Raises:
        UserError: The log cannot be read.
    """
    log = read_event_log(log_file)
    whole, groups = split_application(log, measured)
    owner = group_of_stages(log)
    threads = {task: workers.threads for task, workers in worker_tasks(log, owner, measured).items()}
    found = list(log.notes)
    total = whole.wall_s * whole.cores
    if total and abs(whole.parts["remainder"]) > LARGE_REMAINDER * total:
        found.append(f"Not explained: {whole.parts['remainder'] / total:.0%} of the core-seconds.")
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": run_id,
        "setting": setting,
        "application_id": log.id,
        "spark_version": log.spark_version,
        "log": os.path.relpath(log_file),
        "finished": log.finished,
        "notes": [*found, *notes],
        "application": whole.as_dict(),
        "groups": [group.as_dict() for group in groups],
        "timeline": timeline_of(log, owner, threads),
    }
