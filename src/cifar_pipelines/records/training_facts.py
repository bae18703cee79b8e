"""What run records say of the training of networks: speed, workers, overhead, learning curve."""

import math
import re
from collections.abc import Mapping
from statistics import median
from typing import Any

from cifar_pipelines.common.errors import UserError

HISTORY = [
    *("epoch", "loss", "accuracy", "validation_loss", "validation_accuracy"),
    *("learning_rate", "seconds", "validation_seconds", "images_per_s"),
]
_BATCH = re.compile(r"batch_(\d+)_ms")


def check_history(history: Any) -> None:
    """Checks the learning curve of a run record.

    Args:
        history: What the record holds as `history`; None in records of other models.

    Raises:
        UserError: It is no list of rows, or a row lacks a number.
    """
    if history is None:
        return
    complete = isinstance(history, list) and all(
        isinstance(row, Mapping) and all(isinstance(row.get(name), int | float) for name in HISTORY)
        for row in history
    )
    if not complete:
        raise UserError(
            f"The run record has a history that is no list of epochs with {', '.join(HISTORY)}. Run again."
        )


def training_columns(record: Mapping) -> dict[str, Any]:
    """Flattens what only the record of a network has; for another model most of it is NaN or None.

    Args:
        record: A valid run record.

    Returns:
        Columns for `records_to_table`. `earlier_s` is the part of the fit time that lies in earlier runs,
        `lost_attempts` how often workers had to start again: their CPU time before that is not recorded.
    """
    params, timings = record["params"], record["timings"]
    history, workers = record.get("history") or [], record.get("workers") or []
    resumed = int(record.get("resumed_after_epoch") or 0)
    prediction = record.get("prediction") or {}
    sizes = sorted(int(found[1]) for found in map(_BATCH.fullmatch, prediction) if found)
    batched = sizes[-1] if sizes[1:] else None
    return {
        "network": params.get("network") if isinstance(params, Mapping) else None,
        "precision": record.get("precision"),
        "history": history,
        "resumed": resumed > 0,
        "lost_attempts": int(record.get("restarts") or 0),
        "earlier_s": sum(row["seconds"] + row["validation_seconds"] for row in history[:resumed]),
        "images_per_s": median(row["images_per_s"] for row in history) if history else math.nan,
        "engine_overhead_s": _number(timings.get("engine_overhead_s")),
        "workers": len(workers) or math.nan,
        "threads": max((worker["threads"] for worker in workers if worker.get("threads")), default=math.nan),
        "worker_memory_mb": max(
            (worker["peak_memory_mb"] for worker in workers if worker.get("peak_memory_mb")), default=None
        ),
        "predict_1_ms": _number(prediction.get("batch_1_ms")),
        "predict_batched_ms": _number(prediction.get(f"batch_{batched}_ms")),
        "predict_batch": batched or math.nan,
    }


def _number(value: Any) -> float:
    """Returns a number, NaN for a missing one."""
    return math.nan if value is None else float(value)
