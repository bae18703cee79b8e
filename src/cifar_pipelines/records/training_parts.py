"""The parts of a run record that are there of trained networks: workers, epochs, phases; see `records.parts`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkerReport:
    """What a Python worker said of itself; an extraction's worker says less than a training's. Times are seconds.

    Attributes:
        precision: "bf16" or "fp32".
        device: Where a training's worker computed: "CPU", or the name of its card; None in older records.
        threads: Threads of torch.
        seconds: Start-up of an extraction's worker.
        batch_size: Images per step.
        images: Images of its shard.
        truncated: Texts of its shard that are longer than the network sees; None for images.
        peak_memory_mb: Peak resident memory in MiB.
        card_memory_mb: The most memory in MiB that its tensors had at once on a card; None of a worker that computed on the CPU.
        began_at: When the project's code began in it, since 1970.
        ended_at: When its last epoch had ended, since 1970.
        start_s: From there to the end of its start.
        read_s: Reading images.
        validate_s: Validation.
        checkpoint_s: Writing checkpoints.
    """

    rank: int | None = None
    host: str | None = None
    pid: int | None = None
    precision: str | None = None
    device: str | None = None
    threads: int | None = None
    seconds: float | None = None
    batch_size: int | None = None
    images: int | None = None
    truncated: int | None = None
    cpu_s: float | None = None
    peak_memory_mb: float | None = None
    card_memory_mb: float | None = None
    began_at: float | None = None
    ended_at: float | None = None
    start_s: float | None = None
    read_s: float | None = None
    validate_s: float | None = None
    checkpoint_s: float | None = None


@dataclass(frozen=True)
class EpochRow:
    """One epoch of a learning curve; times are seconds of the first worker.

    Attributes:
        accuracy: Of the augmented training images; None where they were mixed, and have no one right class.
        phase: Number of the phase of a transfer, from 1.
    """

    epoch: int
    loss: float
    accuracy: float | None
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float
    validation_seconds: float
    images_per_s: float
    phase: int | None = None

    @property
    def total_s(self) -> float:
        """Training and validation."""
        return self.seconds + self.validation_seconds


@dataclass(frozen=True)
class PhaseReport:
    """One phase of a transfer.

    Attributes:
        phase: Its number, from 1.
        train: What was trained, as the configuration says it.
        inputs: "cache" or "images".
        epochs: Epochs that were done.
        kept_epoch: The epoch whose weights it handed on, counted over the whole training.
        validation_accuracy: That epoch's.
        seconds: Training and validation, by the first worker's clock.
        trained_parameters: Numbers that learned.
        workers: What its workers said of themselves in this run; empty where the driver trained or an earlier run did, and in
            older records.
    """

    phase: int
    train: str
    inputs: str
    epochs: int
    kept_epoch: int
    validation_accuracy: float
    seconds: float
    trained_parameters: int
    workers: tuple[WorkerReport, ...] = ()

    @property
    def on_cache(self) -> bool:
        """Whether it learned from stored features."""
        return self.inputs == "cache"


@dataclass(frozen=True)
class CacheReport:
    """Features that the frozen network was asked for once, instead of in every epoch.

    Attributes:
        images: Images, of training and validation.
        views: Views of each.
        extract_s: Seconds of the extraction, by this run or by an earlier one.
        images_per_s: Views of images per second.
        reused: Whether an earlier run had stored them.
        head_start_s: Seconds of starting the head from them; None where it was not.
        saved_s: Seconds that the phases on stored features would have taken longer, at that rate.
        truncated: Texts of them that are longer than the network sees; None for images, and in older records.
    """

    images: int
    views: int
    extract_s: float
    images_per_s: float
    reused: bool
    head_start_s: float | None
    saved_s: float
    truncated: int | None = None


@dataclass(frozen=True)
class StreamReport:
    """How a learner went along with its stream, in the part of it that this run has learned.

    Attributes:
        engine: "executors" for one task per learner, "driver" for one after the other.
        learners: Learners that took the stream.
        images: Images.
        stored: Those of them whose features were there already.
        images_per_s: Images per second after the first micro-batch; None where that was all.
        late_p50_s: Seconds from when an image was due to the commit of what it taught, the median; None where all frames had
            landed before the run.
        late_p99_s: Likewise, of all but the latest hundredth.
        waiting: Most frames that waited; None likewise.
        learn_s: Seconds that the learners took together, side by side or not.
        side_by_side: Seconds of CPU that each of them took, added up, over `learn_s`.
        prequential_accuracy: Accuracy of all images of the stream before they were learned.
        prequential_log_loss: Likewise.
        exact: Whether one pass gives what a fit of all images at once gives.
        at_once: The classifier that fits the same kind of model to all images at once; None for none.
    """

    engine: str
    learners: int
    images: int
    stored: int
    images_per_s: float | None
    late_p50_s: float | None
    late_p99_s: float | None
    waiting: int | None
    learn_s: float
    side_by_side: float
    prequential_accuracy: float
    prequential_log_loss: float
    exact: bool = False
    at_once: str | None = None
