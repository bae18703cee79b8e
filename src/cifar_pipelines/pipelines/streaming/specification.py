"""What the configuration says of a stream and of the learners on it, checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from cifar_pipelines.common.configuration import PROJECT_PATH, followed, load_configuration, selected_names
from cifar_pipelines.common.errors import UserError, unknown_name
from cifar_pipelines.common.options import build, flatten, whole
from cifar_pipelines.common.params import params_text
from cifar_pipelines.common.words import counted, some
from cifar_pipelines.incremental.training import Law
from cifar_pipelines.judging.drift import DELTA, can_detect, check_detector
from cifar_pipelines.learners import LearningTask, checked_learner, create_learner
from cifar_pipelines.streaming.journal import Journal
from cifar_pipelines.streaming.supervision import BATCH_SIZE
from cifar_pipelines.training.augmentation import build_augmentation

ENGINES = ("executors", "driver")
MOST = 1_000_000  # frames or images that somebody may mean
# Names of globals.yml that say which images a run has.
IMAGES_ARE = ("source", "source_path", "source_options", "train_size", "test_size", "seed", "validation")


@dataclass(frozen=True)
class LearnerSpec:
    """One model of the stream.

    Attributes:
        learner: Name of the learner.
        options: Its options.
        justification: Why it is there.
    """

    learner: str
    options: dict[str, Any]
    justification: str


@dataclass(frozen=True)
class Expected:
    """What a stream may hold beside images.

    Attributes:
        drift_delta: Chance of a false alarm, as `detect_drift` has it; None looks for no drift.
        classes_per_phase: Classes of a phase, as `phases_of` has it; None for a stream without phases.
        drift_at: Number of the first image after the drift; None where none is known of.
        steady: Whether the server says that there is neither drift nor phases, so that every alarm is false.
    """

    drift_delta: float | None = None
    classes_per_phase: int | None = None
    drift_at: int | None = None
    steady: bool = False


@dataclass(frozen=True)
class StreamSpec:
    """Where frames land, and how they are learned from.

    Attributes:
        landing: The folder where frames land, below the project's own where it is relative.
        servers: Addresses of servers that are received from while the run lasts: a list, or addresses joined by "+"; none where
            `kedro stream receive` runs, or ran.
        serve: Images per second at which the run itself serves its training images, where nothing else sends any; None where others do.
        max_backlog: Frames that may wait for the learners, if `servers` are received from.
        frames_per_trigger: Frames of one micro-batch at most; it changes no result.
        patience_s: Seconds without a frame after which a stream that has not ended is given up.
        engine: "executors" for one task per learner, "driver" for one after the other; it changes no result.
        augmentation: What is drawn anew for every image in every epoch: a list of augmentations, such as `[crop, flip]`, or
            names joined by "+"; held-out images
            and those of predictions stay as they are.
        store_features: Whether features are kept by the content of their image, for later runs and epochs.
        on_bad_image: "fail" ends the run at an image that cannot be decoded; "skip" neither judges nor learns it.
        holdout_images: Test images that are looked at while the learners learn.
        drift_delta: Chance of a false alarm that the drift detector allows itself; None looks for drift where the server says that there
            is some.
        classes_per_phase: Classes of a phase, where they come one group after the other; None takes what the server says.
        resume: Whether to go on with what an earlier run has committed.
        law: The law of blocks.
        selected: Models: a list of names, or names joined by "+".
        models: Every model that can be selected, by name.
    """

    landing: str
    servers: Any
    serve: float | None
    max_backlog: int
    frames_per_trigger: int
    patience_s: float
    engine: str
    augmentation: Any
    store_features: bool
    on_bad_image: str
    holdout_images: int
    drift_delta: float | None
    classes_per_phase: int | None
    resume: bool
    law: Law
    selected: Any
    models: dict[str, Any]

    def __post_init__(self) -> None:
        """Refuses what cannot be."""
        for name, least in (("max_backlog", 1), ("frames_per_trigger", 1), ("holdout_images", 0)):
            whole(f"streaming.{name}", getattr(self, name), least, MOST)
        if self.serve is not None and (self.addresses or not self.serve > 0):
            raise UserError(
                f"streaming.serve is {self.serve!r} and streaming.servers is {self.servers!r}, but a run that serves its own images takes more "
                "than 0 of them a second, and no other server. Leave one of the two out, or give a rate such as 100."
            )
        if not self.landing.strip():
            raise UserError(
                "streaming.landing is empty. Give the folder where frames land, such as data/01_raw/stream."
            )
        if self.engine not in ENGINES:
            raise unknown_name("value of streaming.engine", self.engine, ENGINES)
        if self.on_bad_image not in ("fail", "skip"):
            raise UserError(f"on_bad_image is {self.on_bad_image!r}, but must be 'fail' or 'skip'.")
        build_augmentation(self.augmentations)
        if self.drift_delta is not None:
            check_detector(self.drift_delta)
        if self.classes_per_phase is not None:
            whole("streaming.classes_per_phase", self.classes_per_phase, 1)
        if not self.patience_s > 0:
            raise UserError(
                f"streaming.patience_s is {self.patience_s!r}, but must be more than 0. Give seconds, such as 60."
            )
        if self.serve is not None and (between_s := BATCH_SIZE / self.serve) >= self.patience_s:
            raise UserError(
                f"streaming.serve is {self.serve:g}, so that a frame of {BATCH_SIZE} images comes every {between_s:g} s, but a stream is given up "
                f"after {self.patience_s:g} s without one. Give a higher rate, or more streaming.patience_s."
            )

    @property
    def folder(self) -> Path:
        """The absolute path of the folder where frames land; what a run itself serves has a folder of its own, by what it is."""
        folder = PROJECT_PATH / self.landing
        return folder if self.serve is None else folder / f"served-{sha256(images_text().encode()).hexdigest()[:8]}"

    @property
    def addresses(self) -> list[str]:
        """The addresses of the servers."""
        given = self.servers.split("+") if isinstance(self.servers, str) else self.servers or []
        return [str(address) for address in given]

    @property
    def augmentations(self) -> Any:
        """The list of augmentations, which on a command line are names joined by "+"."""
        return self.augmentation.split("+") if isinstance(self.augmentation, str) else self.augmentation

    def expected(self, journal: Journal) -> Expected:
        """What is looked for in a stream: as configured, or as its only producer says of its scenario."""
        producers = list(journal.producers.values())
        scenario = producers[0].scenario if len(producers) == 1 else {}
        drift_at, phases = scenario.get("drift_at"), scenario.get("phase_classes") or [()]
        delta = self.drift_delta
        if delta is None and drift_at is not None and can_detect():
            delta = DELTA
        per_phase = len(phases[0]) if len(phases) > 1 else None
        steady = bool(scenario) and drift_at is None and per_phase is None
        return Expected(delta, self.classes_per_phase or per_phase, drift_at, steady)

    def check_producers(self, journal: Journal, classes: Sequence[str]) -> None:
        """Refuses frames whose labels stand for other classes than those of the test images.

        Raises:
            UserError: If a producer names other classes, or names them in another order.
        """
        for name, producer in journal.producers.items():
            if producer.classes and tuple(producer.classes) != tuple(classes):
                raise UserError(
                    f"The stream {name!r} has {some(producer.classes, 5, 'class', 'classes')}, but the test images have {some(classes, 5, 'class', 'classes')}: a "
                    "label would stand for two classes. Give both commands the same --params source=..., or let frames land in another folder."
                )

    def late_labels(self, journal: Journal) -> str:
        """What to say where a server's labels come later than they are learned; nothing where they do not."""
        late = max((one.scenario.get("label_delay") or 0 for one in journal.producers.values()), default=0)
        blocks = -(-late // self.law.block)
        if blocks <= self.law.label_delay:
            return ""
        return (
            f"Labels come {late:,} images late by the server's scenario, and are learned after {self.law.label_delay} blocks of {self.law.block}: too "
            f"early. Give --params streaming.law.label_delay={blocks} for scores that hold."
        )

    def learned_at_end(self, images: int) -> str:
        """What to say of labels that had not come when the stream ended, after so many images; nothing where none are late."""
        law = self.law
        left = min(images, law.label_delay * law.block + images % law.block)
        if not law.label_delay or not left:
            return ""
        late = f"streaming.law.label_delay is {counted(law.label_delay, 'block')} of {law.block}"
        if left == images:
            return (
                f"No label came before the stream had ended ({late}, and {counted(images, 'image')} came): all were learned then. Scores over "
                "the stream are those of learners that had learned nothing; a longer stream or a smaller delay shows how they learn."
            )
        return (
            f"The labels of the last {counted(left, 'image')} of {images:,} came when the stream had ended ({late}), and were learned then: the "
            "saved models know them, and the scores over the stream do not."
        )

    def learners(self) -> dict[str, LearnerSpec]:
        """The selected models.

        Raises:
            UserError: If a model is unknown or there twice, or its learner or an option is wrong.
        """
        return {
            name: self._learner(name)
            for name in selected_names("streaming.selected", self.selected, "stream_ridge+stream_mlp")
        }

    def _learner(self, name: str) -> LearnerSpec:
        if name not in self.models:
            remedy = "A new one is a block under streaming.models."
            raise unknown_name("model of streaming.selected", name, self.models, remedy)
        spec = build(LearnerSpec, self.models[name], f"the block streaming.models.{name}")
        if not spec.justification.strip():
            raise UserError(
                f"streaming.models.{name}.justification is empty, but every selected model needs its reason."
            )
        options = checked_learner(spec.learner, spec.options)
        try:
            create_learner(spec.learner, LearningTask(("one", "other"), 1), options)  # values that break a rule
        except MemoryError:
            raise UserError(
                f"streaming.models.{name}.options are {options}, which ask for more memory than there is. Give smaller ones."
            ) from None
        return LearnerSpec(spec.learner, options, " ".join(spec.justification.split()))


def images_text() -> str:
    """The images of the run that is under way, as one types them after `--params`."""
    loader = load_configuration() if followed() is None else followed()
    named = {name: loader["globals"][name] for name in IMAGES_ARE}
    given = {
        name: value for name, value in flatten(loader.runtime_params or {}).items() if name.split(".")[0] in IMAGES_ARE
    }
    wanted = flatten(named) | given
    for name, value in wanted.items():
        if isinstance(value, str) and "," in value:
            raise UserError(
                f"streaming.serve starts a server that is told its images by --params, which cannot hold the comma in {name}={value}. Start "
                "`kedro stream serve` beside the run with that value in conf/local, and give streaming.servers in place of streaming.serve."
            )
    return params_text(wanted)


def stream_of(block: Mapping[str, Any]) -> StreamSpec:
    """Checks the block `streaming` of the parameters."""
    return build(StreamSpec, block, "the block streaming of the parameters")
