"""The training of one transfer: the start of the head, then phase after phase, each by an engine or in this process."""

import logging
import time
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cifar_pipelines.backbones import load_weights
from cifar_pipelines.common.lazy_types import DataFrame
from cifar_pipelines.engines import create_engine
from cifar_pipelines.pipelines.training import curve_images, fit_timings, settled_precision, train_to_the_end
from cifar_pipelines.pipelines.transfer.memory import settle_loader
from cifar_pipelines.pipelines.transfer.specification import LOGISTIC_REGRESSION, TransferSpec
from cifar_pipelines.pipelines.transfer.stored import Stored, read_features, store_features
from cifar_pipelines.records.json_form import from_json
from cifar_pipelines.records.model_report import FitReport
from cifar_pipelines.records.parts import Timings
from cifar_pipelines.records.training_parts import CacheReport, PhaseReport, WorkerReport
from cifar_pipelines.spark.run_context import RunContext
from cifar_pipelines.training.checkpoint import Checkpoint
from cifar_pipelines.training.phases import CACHE

if TYPE_CHECKING:
    from torch import Tensor

    from cifar_pipelines.spark.timing import Timing
    from cifar_pipelines.training.head import HeadJob, StoredFeatures
    from cifar_pipelines.training.phase_job import PhaseJob

logger = logging.getLogger(__name__)


class Transfer:
    """One training, from the first phase that is not done to the last.

    Attributes:
        precision: What the device computes in.
        validation: Split and number of the images that draw the learning curve, the first by rank.
        restarts: How often workers were lost.
    """

    def __init__(
        self,
        spec: TransferSpec,
        images: DataFrame,
        images_info: dict[str, Any],
        checkpoint: Checkpoint,
        stored_features: Path,
        seed: int,
        run_context: RunContext,
    ) -> None:
        from cifar_pipelines.training.device import settle_device, settle_precision

        self._spec, self._images, self._info, self._seed = spec, images, images_info, seed
        self._checkpoint, self._root, self._run = checkpoint, stored_features, run_context
        workers, cores = run_context.setting.executors, run_context.cluster.cores
        self._on_gpu = spec.engine == "local" and settle_device(spec.device, workers)
        wanted = spec.wanted.precision
        if wanted == "fp16" and not self._on_gpu:
            settle_precision(wanted, False)  # which refuses it
        of_executors = settled_precision(images.sparkSession, "auto" if wanted == "fp16" else wanted, cores)
        self.precision = settle_precision(wanted, True) if self._on_gpu else of_executors
        self._extraction_precision = of_executors
        checkpoint.settle("transfer", precision=self.precision, device="gpu" if self._on_gpu else "cpu")
        self.validation = curve_images(images_info, spec.validation_images)
        self._files = tuple(images.inputFiles())
        self._loader = settle_loader(spec, self._files, self.validation, workers)
        self.restarts = 0
        self._stored: Stored | None = None
        self._features: StoredFeatures | None = None
        self._head_start_s: float | None = None
        self._cpu_s = 0.0  # of Python workers; what this process computes is the driver's
        self._workers: dict[int, list[dict[str, Any]]] = {}  # what those of engines said of themselves, by phase

    def run(self) -> None:
        """Trains all phases that are not done."""
        from cifar_pipelines.training.process import train_alone

        if self._spec.stores_features:
            self._stored = store_features(
                self._images, self._info, self._spec, self._extraction_precision, self._root, self.validation, self._run
            )
            self._cpu_s += self._stored.cpu_s
        loaded = self._checkpoint.load()
        if not loaded:
            self._start()
        for number, phase in enumerate(self._spec.phases, start=1):
            if loaded and self._is_done(number, *loaded):
                continue
            logger.info("%s: phase %d of %d, %s.", self._spec.model, number, len(self._spec.phases), phase.words)
            if phase.inputs == CACHE:
                self._train_head(number, train_alone)
            else:
                engine = create_engine(self._spec.engine)
                self.restarts += train_to_the_end(engine, self._job(number), self._checkpoint, self._run)
                self._workers[number] = self._checkpoint.reports()
                self._cpu_s += sum(worker["cpu_s"] for worker in self._workers[number])
        self._features = None

    def _is_done(self, number: int, state: dict[str, Any], history: list[dict[str, Any]]) -> bool:
        """Whether nothing of a phase is left; the last one is begun again for what its workers say of themselves."""
        if number == len(self._spec.phases) or state["phase"] < number:
            return False
        job = self._job(number)
        return state["phase"] > number or state["epoch"] >= job.epochs or job.has_stopped(history)

    def _start(self) -> None:
        """Leaves the weights that the first phase begins with."""
        import torch

        from cifar_pipelines.training.head import linear_head, start_head
        from cifar_pipelines.training.phase_job import write_start

        backbone, block = self._spec.backbone, self._spec.wanted
        weights = load_weights(backbone, block.weights)
        torch.manual_seed(self._seed)
        network = backbone.build(len(self._info["class_names"]), weights.state_dict)
        if block.head_start != "random":
            features = self._stored_features() if block.head_start == LOGISTIC_REGRESSION else None
            began = time.perf_counter()
            start_head(network, linear_head(backbone), block.head_start, features)
            self._head_start_s = time.perf_counter() - began
        write_start(self._checkpoint, network.state_dict())

    def _stored_features(self) -> "StoredFeatures":
        if self._features is None:
            self._features = read_features(self._stored, self._spec.wanted.views, self._files, self.validation[0])
        return self._features

    def _train_head(self, number: int, train: Any) -> None:
        """Trains a phase on stored features in this process; a loss that is not finite ends the run."""
        from cifar_pipelines.common.own_code import CodeError

        try:
            train(self._head_job(number), self._run.cluster.cores)
        except (FloatingPointError, RuntimeError):
            if reason := self._checkpoint.failure():
                raise CodeError(f"Training stopped. {reason}") from None
            raise

    def _fields(self, number: int) -> dict[str, Any]:
        return {
            "backbone": self._spec.wanted.backbone,
            "classes": len(self._info["class_names"]),
            "input": self._spec.input,
            "phase": self._spec.phases[number - 1],
            "number": number,
            "seed": self._seed,
            "keep": self._spec.wanted.keep,
            "validation": self.validation,
            "loader": self._loader,
            "precision": self.precision,
            "files": self._files,
            "train_images": self._info["train_size"],
            "checkpoint": str(self._checkpoint.folder),
            "on_gpu": self._on_gpu,
            "pinned": self._spec.wanted.pinned,
        }

    def _job(self, number: int) -> "PhaseJob":
        from cifar_pipelines.training.phase_job import PhaseJob

        return PhaseJob(**self._fields(number))

    def _head_job(self, number: int) -> "HeadJob":
        from cifar_pipelines.training.head import HeadJob

        fields = self._fields(number) | {"precision": "fp32", "on_gpu": False}
        return HeadJob(**fields, features=self._stored_features())

    def weights_of(self, state: dict[str, Any]) -> "dict[str, Tensor]":
        """The weights that the last phase handed on, with those of the body where it had the head alone."""
        from cifar_pipelines.training.phase_job import first_weights

        return first_weights(str(self._checkpoint.folder), state["phase"] + 1)

    def report(self, timing: "Timing", wall_s: float, resumed: int) -> FitReport:
        """What the training cost."""
        history = self._checkpoint.history()
        workers = self._checkpoint.reports()
        return FitReport.of(
            timing,
            self._timings(fit_timings(history, resumed, wall_s, workers)),
            self._cpu_s,
            workers=workers,
            history=history,
            precision=self.precision,
            validation_from=self.validation[0],
            restarts=self.restarts,
            resumed_after_epoch=resumed or None,
            phases=tuple(self._phase_report(int(number), list(rows)) for number, rows in groupby(history, _phase_of)),
            cache=self._cache_report(history),
        )

    def _timings(self, timings: Timings) -> Timings:
        """Names what of a fit's other time the extraction took; the start of the head is in the report of the cache."""
        fresh = self._stored is not None and not self._stored.reused
        extract_s = self._stored.extract_s if fresh else 0.0
        other_s = round(timings.engine_overhead_s - extract_s - (self._head_start_s or 0.0), 3)
        return replace(timings, extract_s=(extract_s,) if fresh else (), engine_overhead_s=other_s)

    def _phase_report(self, number: int, rows: list[dict[str, Any]]) -> PhaseReport:
        phase = self._spec.phases[number - 1]
        best = max(rows, key=lambda row: (row["validation_accuracy"], -row["validation_loss"]))
        kept = best if self._spec.wanted.keep == "best" else rows[-1]
        return PhaseReport(
            phase=number,
            train=phase.train,
            inputs=phase.inputs,
            epochs=len(rows),
            kept_epoch=kept["epoch"],
            validation_accuracy=kept["validation_accuracy"],
            seconds=round(sum(row["seconds"] + row["validation_seconds"] for row in rows), 3),
            trained_parameters=self._trained_parameters(number),
            workers=tuple(from_json(WorkerReport, worker) for worker in self._workers.get(number, ())),
        )

    def _trained_parameters(self, number: int) -> int:
        from cifar_pipelines.training.batchnorm import freeze_all_but
        from cifar_pipelines.training.phases import learning_prefixes

        phase, backbone = self._spec.phases[number - 1], self._spec.backbone
        network = backbone.skeleton(len(self._info["class_names"]))
        freeze_all_but(network, learning_prefixes(phase, backbone.stages(), backbone.name), phase.bn)
        return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)

    def _cache_report(self, history: list[dict[str, Any]]) -> CacheReport | None:
        if self._stored is None:
            return None
        stored, views = self._stored, self._spec.wanted.views
        per_view_s = stored.extract_s / (stored.images * views)
        on_cache = {number for number, phase in enumerate(self._spec.phases, start=1) if phase.inputs == CACHE}
        rows = [row for row in history if row["phase"] in on_cache]
        # Without stored features every epoch would have sent every view of a training image through the frozen network.
        avoided_s = len(rows) * self._info["train_size"] * views * per_view_s
        return CacheReport(
            images=stored.images,
            views=views,
            extract_s=stored.extract_s,
            images_per_s=round(1 / per_view_s, 1),
            reused=stored.reused,
            head_start_s=None if self._head_start_s is None else round(self._head_start_s, 3),
            saved_s=round(avoided_s - (0.0 if stored.reused else stored.extract_s), 3),
            truncated=stored.truncated,
        )


def _phase_of(row: dict[str, Any]) -> int:
    return row["phase"]
