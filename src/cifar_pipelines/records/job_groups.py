"""Which Spark job groups belong to a run record: their ids, and what the record knows of the work in them."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

import pandas as pd

from cifar_pipelines.common.words import counted
from cifar_pipelines.event_log.components import Measured
from cifar_pipelines.event_log.task_time import Workers
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.training_parts import EpochRow, WorkerReport

GROUP_SEPARATOR = "; "  # between the names of several groups in one cell of a table


def group_names(record: RunRecord) -> tuple[str, ...]:
    """What names a record's job groups in the application of its run: ids; of an older record the label they had."""
    if record.job_groups:
        return record.job_groups
    if record.is_extraction:
        return (f"Extracting {record.model} from {record.data.train_size + record.data.test_size} images",)
    return (f"Training {record.model}",)


def groups_of(application: Mapping[str, Any], names: Iterable[str]) -> list[Mapping[str, Any]]:
    """The job groups, of what a run wrote of its application, that have a name of `group_names` as id or as label."""
    wanted = set(names)
    return [group for group in application["groups"] if wanted & {group["group"], group["label"]}]


def named_together(joined: pd.DataFrame) -> pd.DataFrame:
    """Rows of one job group, such as those of all learners on a stream, as one row that says how many, with all their records.

    Args:
        joined: Rows of models and the job groups that trained them, with `label`, `setting`, `application_id`, `group` and maybe
            `records`.
    """
    grouped = joined.groupby(["application_id", "group", "setting"], sort=False, dropna=False)
    merged = grouped.first().reset_index()[list(joined.columns)]
    merged["label"] = [
        labels.iloc[0] if len(labels) == 1 else f"{labels.iloc[0]} and {len(labels) - 1} more"
        for _, labels in grouped["label"]
    ]
    if "records" in joined:
        merged["records"] = [[number for one in rows for number in one] for _, rows in grouped["records"]]
    return merged


def measured_groups(records: Iterable[RunRecord]) -> dict[str, Measured]:
    """What run records know of their job groups, by the ids of the groups."""
    found = {}
    for record in records:
        python_cpu_s = record.resources.python_cpu_s
        share = None if python_cpu_s is None else python_cpu_s / len(record.times_s)  # of one repeat
        for group, wall_s in zip(record.job_groups, record.times_s, strict=False):
            found[group] = Measured(wall_s - record.earlier_s, share, _workers(record), _driver_training_s(record))
    return found


def lost_workers(records: Iterable[RunRecord]) -> list[str]:
    """A sentence for every record whose counters are only those of its last workers."""
    return [
        f"{record.model}: workers were lost {counted(record.restarts, 'time')}; the counters are those of the last ones."
        for record in records
        if record.restarts
    ]


def _workers(record: RunRecord) -> tuple[Workers, ...]:
    """A network's workers, once for every phase in which they trained; in older records only the last ones are known."""
    rows = _rows_of_this_run(record, on_cache=False)
    told = [phase for phase in record.phases if phase.workers]
    if told:
        return tuple(_counted(phase.workers, [row for row in rows if row.phase == phase.phase]) for phase in told)
    only_on_cache = record.phases and len(_on_cache(record)) == len(record.phases)
    return () if only_on_cache or not record.workers or not record.history else (_counted(record.workers, rows),)


def _driver_training_s(record: RunRecord) -> float:
    """Seconds of this run in which the driver trained: the start of a head, and phases on stored features."""
    of_head = (record.cache.head_start_s if record.cache else None) or 0.0
    return of_head + sum(row.total_s for row in _rows_of_this_run(record, on_cache=True))


def _rows_of_this_run(record: RunRecord, on_cache: bool) -> list[EpochRow]:
    """Epochs on stored features, which the driver trains, or the others."""
    stored = _on_cache(record)
    return [row for row in record.history[record.resumed_after_epoch or 0 :] if (row.phase in stored) == on_cache]


def _on_cache(record: RunRecord) -> set[int]:
    """Numbers of the phases on stored features."""
    return {phase.phase for phase in record.phases if phase.on_cache}


def _counted(workers: Sequence[WorkerReport], rows: Iterable[EpochRow]) -> Workers:
    """What workers counted in some epochs; the seconds of training are those of the first one, which all keep step with."""

    def mean(name: str) -> float:
        return fmean(getattr(worker, name) or 0.0 for worker in workers)

    return Workers(
        threads=workers[0].threads or 1,
        seconds={
            "python_start": mean("start_s"),
            "worker_read": mean("read_s"),
            "worker_validation": mean("validate_s"),
            "worker_checkpoint": mean("checkpoint_s"),
            "worker_training": sum(row.seconds for row in rows),
        },
        began=mean("began_at") or None,
        ended=mean("ended_at") or None,
    )
