"""What a family's own nodes know of a model: the part of a run record that is not the same for all of them."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cifar_pipelines.records.json_form import from_json
from cifar_pipelines.records.parts import HostLoad, Resources, Timings
from cifar_pipelines.records.training_parts import CacheReport, EpochRow, PhaseReport, StreamReport, WorkerReport

if TYPE_CHECKING:
    from cifar_pipelines.spark.timing import Timing


@dataclass(frozen=True)
class FitReport:
    """What the fits of a model cost, or an extraction of features; `RunRecord` describes the attributes."""

    timings: Timings
    host_load: HostLoad
    resources: Resources
    job_groups: tuple[str, ...] = ()
    workers: tuple[WorkerReport, ...] = ()
    history: tuple[EpochRow, ...] = ()
    precision: str | None = None
    validation_from: str | None = None
    restarts: int | None = None
    resumed_after_epoch: int | None = None
    phases: tuple[PhaseReport, ...] = ()
    cache: CacheReport | None = None
    stream: StreamReport | None = None

    @classmethod
    def of(cls, timing: "Timing", timings: Timings, python_cpu_s: float | None = None, **further: Any) -> "FitReport":
        """Makes the report of work that was timed.

        Args:
            timing: What `timed` measured.
            timings: The times, as the record holds them.
            python_cpu_s: CPU seconds of the Python workers in it; None where none computed.
            **further: Further attributes; `workers` and `history` as dicts.
        """
        workers = tuple(from_json(WorkerReport, block) for block in further.pop("workers", ()))
        history = tuple(from_json(EpochRow, block) for block in further.pop("history", ()))
        host_load = from_json(HostLoad, timing.host_load)
        resources = from_json(Resources, timing.resources(python_cpu_s))
        return cls(timings, host_load, resources, timing.groups, workers, history, **further)


@dataclass(frozen=True)
class PredictionReport:
    """What the prediction of the test images cost, and the model that made it; see `RunRecord`.

    Attributes:
        predict_s: Seconds of every repeat.
        model_path: Where the model was saved; None for one that is not.
        prepare_s: Seconds of caching images and starting workers before; None where nothing had to be prepared.
        latency: Milliseconds per image of a network.
    """

    predict_s: tuple[float, ...]
    probability_source: str
    model_size_bytes: int | None = None
    parameter_count: int | None = None
    model_path: str | None = None
    prepare_s: float | None = None
    latency: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelReport:
    """What a family's own nodes know of a model, or of the features that they extracted; see `RunRecord`.

    Attributes:
        fit: What training cost.
        prediction: What prediction cost; None for an extraction.
    """

    model: str
    family: str
    engine: str
    params: dict[str, Any]
    fit: FitReport
    prediction: PredictionReport | None = None
    justification: str = ""
