"""A transfer as the configuration wants it, checked before any process starts."""

from dataclasses import asdict, dataclass, field
from typing import Any

from cifar_pipelines.backbones import Backbone, InputSpec, LoadedWeights, TextSpec, create_backbone, load_weights
from cifar_pipelines.common.contents import IMAGE, TEXT
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import ALL, build, whole
from cifar_pipelines.engines import create_engine, model_name
from cifar_pipelines.pipelines.transfer.views import VIEWS
from cifar_pipelines.training.phases import CACHE, IMAGES, SMALLEST_NORMALISED_BATCH, Phase, build_phases
from cifar_pipelines.training.prediction_views import PredictionViews

PRECISIONS = ("auto", "bf16", "fp16", "fp32")
LOGISTIC_REGRESSION = "logistic_regression"
STARTS = (LOGISTIC_REGRESSION, "zeros", "random")
KEPT = ("best", "last")


@dataclass(frozen=True)
class InputBlock:
    """What of a network's input is otherwise than its weights say; null keeps what they say.

    Attributes:
        size: Height and width in pixels.
        policy: What becomes of an image that is no square: "squash", "crop" or "pad".
        max_tokens: Tokens of a text that the network sees.
        pooling: How the tokens of a text become one vector: "mean", "first" or "pooler".
    """

    size: int | None = None
    policy: str | None = None
    max_tokens: int | None = None
    pooling: str | None = None


@dataclass(frozen=True)
class ModelBlock:
    """A block of `transfer.models`.

    Attributes:
        justification: Why this network and these phases; printed in the report.
        backbone: "<library>:<model>".
        phases: The phases, see `training.phases.Phase`.
        weights: "download", "path:<file>", "package:<distribution>" or "none"; null is the backbone's default.
        input: What of the input is otherwise than the weights say.
        head_start: First weights of the head.
        views: Views of an image that are stored, from 1 (the image) to 10: its mirror image, then its corners; see `view`.
        precision: "auto" (bf16 where the device has it), "bf16", "fp32" or, on GPUs, "fp16".
        loader: "auto", "memory" or "workers:<n>".
        pinned: Whether batches on their way to a card are copied into pinned memory first; nothing on a CPU.
        keep: What every phase hands on: "best", its epoch of best validation accuracy, or "last".
        flip_at_test: Whether predictions are averaged with those of the mirrored image.
        shift_at_test: Pixels of the network's input by which images are shifted along their diagonal, both ways, for two more
            views that predictions are averaged over; 0 for neither.
    """

    justification: str
    backbone: str
    phases: list
    weights: str | None = None
    input: InputBlock = field(default_factory=InputBlock)
    head_start: str = LOGISTIC_REGRESSION
    views: int = 1
    precision: str = "auto"
    loader: str = "auto"
    pinned: bool = True
    keep: str = "last"
    flip_at_test: bool = False
    shift_at_test: int = 0

    def __post_init__(self) -> None:
        from cifar_pipelines.training.loading import require_loader

        require_loader(self.loader)
        for name, known in (("head_start", STARTS), ("precision", PRECISIONS), ("keep", KEPT)):
            if getattr(self, name) not in known:
                raise UserError(
                    f"A transfer's {name} is {getattr(self, name)!r}, but must be one of {', '.join(known)}."
                )
        whole("A transfer's shift_at_test", self.shift_at_test, 0)
        whole("A transfer's views", self.views, 1)
        if self.views > VIEWS:
            raise UserError(
                f"A transfer's views is {self.views}, but there are {VIEWS}: the image and its four corners, each also mirrored. Give {VIEWS} or less."
            )


@dataclass(frozen=True)
class TransferSpec:
    """A transfer that was checked.

    Attributes:
        name: Name of its block.
        engine: Name of the engine.
        wanted: The block.
        phases: Its phases.
        input: What the network expects of an image, or of a text.
        device: "auto", "cpu" or "gpu".
        validation_images: Test images for the learning curve where there are no validation images.
        resume: Whether to go on with a training that was stopped.
    """

    name: str
    engine: str
    wanted: ModelBlock
    phases: tuple[Phase, ...]
    input: InputSpec | TextSpec
    device: str
    validation_images: int
    resume: bool

    def __post_init__(self) -> None:
        whole("transfer.validation_images", self.validation_images, 1)

    @property
    def model(self) -> str:
        """Name of the model in records and paths."""
        return model_name(self.name, self.engine)

    @property
    def justification(self) -> str:
        """Why this network and these phases, in one line."""
        return " ".join(self.wanted.justification.split())

    @property
    def backbone(self) -> Backbone:
        """The network."""
        return create_backbone(self.wanted.backbone, self.input)

    @property
    def prediction_views(self) -> PredictionViews:
        """Over which views of an image its predictions are averaged."""
        return PredictionViews(self.wanted.flip_at_test, self.wanted.shift_at_test)

    @property
    def epochs(self) -> int:
        """Epochs of all phases, at most."""
        return sum(phase.epochs for phase in self.phases)

    @property
    def stores_features(self) -> bool:
        """Whether anything is computed from stored features."""
        return self.wanted.head_start == LOGISTIC_REGRESSION or any(phase.inputs == CACHE for phase in self.phases)

    def params(self, weights: LoadedWeights) -> dict[str, Any]:
        """What the result depends on, engine and images apart; part of the run record."""
        return {
            "network": self.wanted.backbone,
            "weights": weights.origin,
            "weights_sha256": weights.sha256,
            "input": self.input.to_json(),
            "head_start": self.wanted.head_start,
            "views": self.wanted.views if self.stores_features else None,
            "keep": self.wanted.keep,
            "flip_at_test": self.wanted.flip_at_test,
            "precision": self.wanted.precision,
            "loader": self.wanted.loader,
            # Records are older than these.
            **({} if self.wanted.pinned else {"pinned": False}),
            **({"shift_at_test": self.wanted.shift_at_test} if self.wanted.shift_at_test else {}),
            "validation_images": self.validation_images,
            "phases": [asdict(phase) for phase in self.phases],
        }


def specify_transfer(name: str, engine: str, block: dict[str, Any]) -> TransferSpec:
    """Checks the block `transfer` for one model and engine, its weights included.

    Raises:
        UserError: If a name is unknown, a key is missing or unknown, a value breaks its rule, weights are missing or those
            of another network, or the engine's libraries are missing.
    """
    create_engine(engine).check()
    what = f"transfer.models.{name}"
    model = build(ModelBlock, block["models"][name], what)
    if not model.justification.strip():
        raise UserError(
            f"{what}.justification is empty, but every transfer needs the reasons for its network and phases."
        )
    phases = build_phases(model.phases, what)
    backbone = create_backbone(model.backbone)
    weights = load_weights(backbone, model.weights)
    shared = {key: block[key] for key in ("device", "validation_images", "resume")}
    spec = build(
        TransferSpec, shared, "transfer", name=name, engine=engine, wanted=model, phases=phases,
        input=backbone.input_spec(weights, **_given(model.input, backbone)),
    )  # fmt: skip
    backbone.check_size(spec.input.size)
    backbone.check_size(spec.input.size, training=True)
    if backbone.content is TEXT:
        _check_texts(spec)
    elif model.shift_at_test >= spec.input.size:
        raise UserError(
            f"{what}.shift_at_test is {model.shift_at_test}, but must be smaller than the network's input ({spec.input.size} "
            "pixels), which is reflected at its border."
        )
    _check_phases(spec, spec.backbone)
    return spec


def _given(block: InputBlock, backbone: Backbone) -> dict[str, Any]:
    """What of the input is given; refuses what is of texts for a network of images."""
    given = {name: value for name, value in asdict(block).items() if value is not None}
    if backbone.content is IMAGE and (of_texts := [name for name in ("max_tokens", "pooling") if name in given]):
        raise UserError(f"input.{of_texts[0]} is of texts, and {backbone.name} reads images. Leave it out.")
    return given


def _check_texts(spec: TransferSpec) -> None:
    """Refuses what is done to images alone."""
    of_images = {"views": spec.wanted.views > 1, "flip_at_test": spec.wanted.flip_at_test}
    of_images |= {"shift_at_test": spec.wanted.shift_at_test > 0}
    of_images |= {"augmentation": any(phase.augmentation for phase in spec.phases)}
    of_images |= {"mixing": any(phase.mixing for phase in spec.phases)}
    if wrong := [name for name, there in of_images.items() if there]:
        raise UserError(
            f"transfer.models.{spec.name} has {wrong[0]}, which is of images, and {spec.wanted.backbone} reads texts. Leave it out."
        )


def _check_phases(spec: TransferSpec, backbone: Backbone) -> None:
    """Checks what depends on network, augmentations and device."""
    from cifar_pipelines.training.augmentation import build_augmentation
    from cifar_pipelines.training.device import cards, require_device, settle_precision
    from cifar_pipelines.training.head import linear_head
    from cifar_pipelines.training.phases import learning_prefixes

    stages = backbone.stages()
    for phase in spec.phases:
        learning_prefixes(phase, stages, backbone.name)
        build_augmentation(phase.augmentation)
    if spec.stores_features or spec.wanted.head_start == "zeros":
        linear_head(backbone)
    require_device(spec.device)
    if spec.device == "gpu" and spec.engine != "local":
        raise UserError(
            f"transfer.device is 'gpu', but the engine {spec.engine} trains on the executors' CPUs. Take "
            "--params transfer.engines=local, whose workers have a card each."
        )
    if spec.engine != "local" or spec.device == "cpu" or not cards():
        settle_precision(spec.wanted.precision, on_gpu=False)


def require_validation(spec: TransferSpec, there_is: bool) -> None:
    """Raises a `UserError` for what is chosen on validation images where there are none."""
    wanted = ["keep: best"] if spec.wanted.keep == "best" else []
    wanted += [f"patience: {phase.patience}" for phase in spec.phases if phase.patience][:1]
    if wanted and not there_is:
        raise UserError(
            f"transfer.models.{spec.name} has {wanted[0]}, which is decided on validation images, and there are none: on test "
            "images nothing may be chosen. Cut some from training with --params validation.share=0.15, or write keep: last "
            "and no patience."
        )


def check_sizes(spec: TransferSpec, train_images: int | str, workers: int) -> None:
    """Checks that every worker gets images, every step is full, and batches suffice for batch normalisation.

    Args:
        spec: The transfer.
        train_images: How many images there are to learn from; `ALL` before that is known, which is compared with nothing.
        workers: How many workers train.

    Raises:
        UserError: For the first phase that does not fit.
    """
    for number, phase in enumerate(spec.phases, start=1):
        what = f"The batch_size of phase {number} of transfer.models.{spec.name}"
        members = workers if phase.inputs == IMAGES else 1
        share = phase.batch_size // members
        if not share:
            raise UserError(
                f"{what} is {phase.batch_size}, fewer than the {workers} workers, one per executor: every worker needs at "
                f"least one image per step. Set it to at least {workers}, or take a setting with fewer executors."
            )
        if train_images != ALL and phase.batch_size > train_images:
            raise UserError(
                f"{what} is {phase.batch_size}, more than the {train_images} training images, so that no step would be full. "
                f"Set it to at most {train_images} where the phases are listed, in conf/base/parameters_transfer.yml, or take more images "
                "(train_size)."
            )
        if phase.bn == "train" and phase.inputs == IMAGES and share < SMALLEST_NORMALISED_BATCH:
            reason = "one image has no variance" if share == 1 else "so few say little of the mean of all"
            raise UserError(
                f"{what} is {phase.batch_size}, which is {share} images for each of {workers} workers, and bn: train "
                f"normalises by them: {reason}. Set it to at least {SMALLEST_NORMALISED_BATCH * workers}, or bn: frozen."
            )
