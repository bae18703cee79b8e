"""Where the time of a run went: from Spark's event log and the run records to one small JSON file."""

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from cifar_pipelines.common import whole_files
from cifar_pipelines.event_log.components import Measured, group_of_stages, split_application, worker_tasks
from cifar_pipelines.event_log.reader import find_event_log, read_event_log
from cifar_pipelines.event_log.task_time import Workers
from cifar_pipelines.event_log.timeline import timeline_of

logger = logging.getLogger(__name__)

SCHEMA_VERSION = 1
APPLICATIONS = Path("data/08_reporting/applications")
# A remainder above this share is worth a note.
LARGE_REMAINDER = 0.1


def application_record(
    log_file: Path, run_id: str, setting: str, records: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Reads an event log and says where the time went.

    Args:
        log_file: The event log.
        run_id: Id of the run, as in its run records.
        setting: Name of the parallelism setting.
        records: The run's own run records.

    Returns:
        What is written as JSON: the application, its components, those of every job group, a timeline, notes.

    Raises:
        UserError: The log cannot be read.
    """
    records = list(records)
    log = read_event_log(log_file)
    measured = {label: one for record in records for label, one in measured_of(record).items()}
    whole, groups = split_application(log, measured)
    owner = group_of_stages(log)
    threads = {task: one.threads for task, one in worker_tasks(log, owner, measured).items()}
    notes = list(log.notes)
    total = whole.wall_s * whole.cores
    if total and abs(whole.parts["remainder"]) > LARGE_REMAINDER * total:
        notes.append(f"Not explained: {whole.parts['remainder'] / total:.0%} of the core-seconds.")
    notes += [
        f"{record['model']}: workers were lost {record['restarts']} times; the counters are those of the last ones."
        for record in records
        if record.get("restarts")
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": run_id,
        "setting": setting,
        "application_id": log.id,
        "spark_version": log.spark_version,
        "log": os.path.relpath(log_file),
        "finished": log.finished,
        "notes": notes,
        "application": whole.as_dict(),
        "groups": [group.as_dict() for group in groups],
        "timeline": timeline_of(log, owner, threads),
    }


def write_application(
    events: Path, application_id: str, run_id: str, setting: str, records: Iterable[Mapping[str, Any]]
) -> Path | None:
    """Writes where the time of a run went; a log that cannot be read is warned of, and never fails the run.

    Args:
        events: Folder of event logs (`spark.eventLog.dir`).
        application_id: Spark's id of the application.
        run_id: Id of the run, as in its run records.
        setting: Name of the parallelism setting.
        records: The run's own run records.

    Returns:
        The file; None where there is no log, or it cannot be read.
    """
    log_file = find_event_log(events, application_id)
    if log_file is None:
        return None
    try:
        content = application_record(log_file, run_id, setting, records)
        target = APPLICATIONS / setting / f"{run_id}.json"
        whole_files.write_json(target, content)
    except Exception as error:  # whatever a log may hold: the results of the run are there, and stay
        logger.warning(
            "Where the time went is not known, because the event log %s could not be read: %s",
            os.path.relpath(log_file), error or type(error).__name__,
        )  # fmt: skip
        return None
    return target


def measured_of(record: Mapping[str, Any]) -> dict[str, Measured]:
    """What a run record says of the job group in which its model was trained or its features were extracted.

    Returns:
        One entry by the label of the group; a feature extraction has its number of images in it.
    """
    timings, resources = record["timings"], record["resources"]
    python_cpu_s = resources.get("python_cpu_s")
    if record["family"] == "feature_extraction":
        data = record["data"]
        label = f"Extracting {record['model']} from {data['train_size'] + data['test_size']} images"
        return {label: Measured(tuple(timings["extract_s"]), python_cpu_s)}
    label, walls = f"Training {record['model']}", tuple(timings["fit_s"])
    if record["family"] != "cnn":
        return {label: Measured(walls, python_cpu_s)}
    resumed = int(record.get("resumed_after_epoch") or 0)
    history = record.get("history") or []
    earlier = sum(row["seconds"] + row["validation_seconds"] for row in history[:resumed])
    walls = tuple(wall - earlier for wall in walls)
    return {label: Measured(walls, python_cpu_s, _workers(record.get("workers") or [], history[resumed:]))}


def _workers(workers: list[Mapping[str, Any]], history: list[Mapping[str, float]]) -> Workers | None:
    """The workers' own counters; the seconds of training are those of the first one, which all keep step with."""
    if not workers:
        return None

    def mean(name: str) -> float:
        return fmean(float(worker.get(name) or 0) for worker in workers)

    return Workers(
        threads=int(workers[0].get("threads") or 1),
        seconds={
            "python_start": mean("start_s"),
            "worker_read": mean("read_s"),
            "worker_validation": mean("validate_s"),
            "worker_checkpoint": mean("checkpoint_s"),
            "worker_training": sum(row["seconds"] for row in history),
        },
        began=mean("began_at") or None,
        ended=mean("ended_at") or None,
    )
