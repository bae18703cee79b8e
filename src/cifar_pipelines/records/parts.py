"""The parts of a run record. A field without a default is a key that every record of today has, if only as null."""

from dataclasses import dataclass, field
from typing import Any

from cifar_pipelines.backbones import InputSpec
from cifar_pipelines.common.contents import content_of, judged_on
from cifar_pipelines.common.params import params_text
from cifar_pipelines.spark.spark_config import EMBEDDED


@dataclass(frozen=True)
class Data:
    """The images: their source, what identifies their table, how many there are, damaged ones, the subset's seed.

    Attributes:
        class_names: The classes, by label.
        test_size: Test images; 0 where models are judged on validation images.
        test_images_in_training: Test images whose very pixels are also among the training images; None in older records.
        classes_without_test_images: Classes without a test image, which count as 0 in macro averages.
        validation_size: Validation images; None in older records, which know none.
        predict_size: Images without a label.
        validation: How validation images were cut; None where there are none.
        copies_across_splits: Images whose very pixels are also in another split, by the names of both, where there are some.
        images_treated: Images to which decoding does more than read them, by what it does.
        equal_left_out: Images of the source that equal an earlier one and are in no split; None where the source does not say,
            and in older records.
        content: "image" or "text"; None in older records, which are of images.
    """

    source: str
    fingerprint: str
    class_names: tuple[str, ...] | None
    train_size: int
    test_size: int
    bad_images_skipped: int | None
    seed: int
    test_images_in_training: int | None = None
    classes_without_test_images: tuple[str, ...] = ()
    validation_size: int | None = None
    predict_size: int | None = None
    validation: dict[str, Any] | None = None
    copies_across_splits: dict[str, int] = field(default_factory=dict)
    images_treated: dict[str, int] = field(default_factory=dict)
    equal_left_out: int | None = None
    content: str | None = None

    @property
    def images(self) -> int:
        """All images, of every split."""
        return self.train_size + self.test_size + (self.validation_size or 0) + (self.predict_size or 0)

    @property
    def copies(self) -> dict[str, int]:
        """`copies_across_splits`, of a record from before other splits were compared as well."""
        known = {"test in train": self.test_images_in_training} if self.test_images_in_training else {}
        return self.copies_across_splits or known

    @property
    def noun(self) -> str:
        """What one of them is called, "image" or "text"."""
        return content_of(vars(self)).noun

    @property
    def judged_on(self) -> str:
        """What one of those is called that models were judged on; see `contents.judged_on`."""
        return judged_on(vars(self))

    @property
    def judged_size(self) -> int:
        """How many models were judged on, as the data has them."""
        return self.test_size or self.validation_size or 0


@dataclass(frozen=True)
class Features:
    """What identifies the features that a model was trained on.

    Attributes:
        weights: Where the weights of the extractor come from, in words.
        input_size: Height and width in pixels.
        dimension: Numbers per image.
        precision: "bf16" or "fp32".
        weights_sha256: Checksum of the file of weights; None where there is none, and in older records.
        input: What the weights expect of an image; None for an extractor without weights, and in older records.
        options: Further options of the extractor.
        micro_batch: Images per forward pass.
        state_sha256: Identifies the state that it was prepared to, as `extractors.state_sha256` says it; None in records
            older than it, whose models cannot be opened again.
    """

    extractor: str | None
    weights: str | None
    input_size: int | None
    dimension: int | None
    precision: str | None
    weights_sha256: str | None = None
    input: InputSpec | None = None
    options: dict[str, Any] = field(default_factory=dict)
    micro_batch: int | None = None
    state_sha256: str | None = None

    @property
    def identity(self) -> str:
        """Names the features so that two that differ never share a name."""
        size = f"{self.input_size} px" if self.input_size else None
        words = self.input.words if self.input else None  # empty for the one input that older records know
        options = params_text(dict(sorted(self.options.items())))  # empty for older records
        parts = (self.extractor, self.weights, size, words, options, self.precision)
        return ", ".join(str(part) for part in parts if part)


@dataclass(frozen=True)
class Asked:
    """What the parallelism setting asks for: cores in all, cores and memory (MiB) of an executor, executors."""

    cores_max: int
    executor_cores: int
    executor_memory_mb: int | None
    executors: int | None


@dataclass(frozen=True)
class Effective:
    """What the cluster gave: its Master, whether the run started it, registered executors, their cores and hosts."""

    master: str | None
    embedded: bool | None
    executors: int | None
    cores: int | None
    hosts: tuple[str, ...] | None


@dataclass(frozen=True)
class Parallelism:
    """Setting and cluster.

    Attributes:
        setting: Name of the setting.
        asked: What it asks for.
        effective: What the cluster gave; None, or None in it, where a record does not say, and then it gave what was asked.
        host_cores: Cores of the driver's host.
        oversubscribed: Whether executors on that host use more cores than it has.
        application_id: Spark's id of the application.
        log_dir: Folder of the run's logs.
        properties: Spark properties that decide speed, as read back.
    """

    setting: str
    asked: Asked
    effective: Effective | None
    host_cores: int
    oversubscribed: bool
    application_id: str | None
    log_dir: str | None
    properties: dict[str, str] | None

    @property
    def cluster(self) -> str:
        """The address of the Master, or "embedded"."""
        if self.effective is None or self.effective.embedded in (True, None):
            return EMBEDDED
        return self.effective.master or "unknown"

    @property
    def cores(self) -> int:
        """Cores of all executors together."""
        return (self.effective and self.effective.cores) or self.asked.cores_max

    @property
    def executors(self) -> int:
        """Number of executors."""
        return (self.effective and self.effective.executors) or (self.asked.cores_max // self.asked.executor_cores)


@dataclass(frozen=True)
class Timings:
    """Seconds. Lists hold every repeat.

    Attributes:
        start_up_s: From nothing to all executors registered.
        read_s: Reading and caching the tables or, of a network, reading images in the slowest worker.
        worker_start_up_s: Starting the Python workers of an extraction.
        fit_s: Fits.
        train_s: The part of a network's fit that is training, by its first worker's clock.
        validate_s: The part that is validation.
        engine_overhead_s: All else of it.
        predict_s: Predictions of all test images.
        prepare_prediction_s: Caching images and starting workers before a network predicts.
        extract_s: Feature extractions.
    """

    start_up_s: float | None = None
    read_s: float | None = None
    worker_start_up_s: float | None = None
    fit_s: tuple[float, ...] = ()
    train_s: float | None = None
    validate_s: float | None = None
    engine_overhead_s: float | None = None
    predict_s: tuple[float, ...] = ()
    prepare_prediction_s: float | None = None
    extract_s: tuple[float, ...] = ()


@dataclass(frozen=True)
class HostLoad:
    """How busy the host was: load averages before and after, and the share of its CPU time for other programs."""

    before: float | None
    after: float | None
    other_cpu_share: float | None


@dataclass(frozen=True)
class DriverUsage:
    """Peak resident memory (MiB) and CPU seconds of the driver and its JVM."""

    peak_memory_mb: float | None
    cpu_s: float | None


@dataclass(frozen=True)
class ExecutorPeak:
    """Cores of an executor, and peak resident memory (MiB) of its JVM and of its Python processes."""

    id: str | None
    host: str | None
    cores: int | None
    peak_jvm_memory_mb: float | None
    peak_python_memory_mb: float | None


@dataclass(frozen=True)
class Resources:
    """What the run used, and the counters of the tasks that were timed.

    Attributes:
        driver: Driver and its JVM.
        executors: Executors, lost ones included.
        task_cpu_s: CPU seconds of task threads and, where known, of Python workers.
        python_cpu_s: CPU seconds of Python workers; None where none computed.
        task_run_s: Seconds that tasks ran, summed over cores.
        gc_s: Seconds of garbage collection in tasks.
        stages: Stages that ran.
        tasks: Tasks that succeeded.
    """

    driver: DriverUsage | None = None
    executors: tuple[ExecutorPeak, ...] = ()
    task_cpu_s: float | None = None
    python_cpu_s: float | None = None
    task_run_s: float | None = None
    gc_s: float | None = None
    shuffle_read_bytes: int | None = None
    shuffle_write_bytes: int | None = None
    jobs: int | None = None
    stages: int | None = None
    tasks: int | None = None
