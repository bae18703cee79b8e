"""A CNN as the configuration wants it, checked before any process starts."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import ALL, build, whole
from cifar_pipelines.common.words import counted
from cifar_pipelines.engines import create_engine, model_name
from cifar_pipelines.networks import NetworkShape, checked_network
from cifar_pipelines.training.prediction_views import PredictionViews
from cifar_pipelines.training.recipe import Recipe


@dataclass(frozen=True)
class CnnSpec:
    """A network, the engine that trains it, and how.

    Attributes:
        network: Name of the network.
        engine: Name of the engine.
        justification: Why these layers; printed in the report.
        options: The network's options.
        recipe: The recipe.
        image_size: Height and width in pixels to which images are resized.
        validation_images: Test images for the learning curve where there are no validation images.
        resume: Whether to go on with a training that was stopped.
    """

    network: str
    engine: str
    justification: str
    options: dict[str, Any]
    recipe: Recipe
    image_size: int
    validation_images: int
    resume: bool

    def __post_init__(self) -> None:
        whole("bigdl_cnn.image_size", self.image_size, 1)
        whole("bigdl_cnn.validation_images", self.validation_images, 1)

    @property
    def model(self) -> str:
        """Name of the model in records and paths."""
        return model_name(self.network, self.engine)

    @property
    def epochs(self) -> int:
        """Epochs of its recipe."""
        return self.recipe.epochs

    @property
    def prediction_views(self) -> PredictionViews:
        """Over which views of an image its predictions are averaged."""
        return PredictionViews(self.recipe.flip_at_test, self.recipe.shift_at_test)

    def params(self) -> dict[str, Any]:
        """What the result depends on, engine and images apart; part of the run record."""
        return {
            "network": self.network,
            "options": self.options,
            "recipe": asdict(self.recipe),
            "image_size": self.image_size,
            "validation_images": self.validation_images,
        }


@dataclass(frozen=True)
class _ModelBlock:
    """A block of `bigdl_cnn.models`."""

    justification: str
    options: dict[str, Any] | None
    recipe: Recipe


def specify_cnn(network: str, engine: str, block: dict[str, Any]) -> CnnSpec:
    """Checks the block `bigdl_cnn` for one network and engine.

    Raises:
        UserError: If a name is unknown, a key is missing or unknown, a value breaks its rule, or the engine's
            libraries are missing.
    """
    create_engine(engine).check()
    what = f"bigdl_cnn.models.{network}"
    model = build(_ModelBlock, block["models"][network], what)
    if not model.justification.strip():
        raise UserError(f"{what}.justification is empty, but every network needs the reasons for its layers.")
    shared = {key: block[key] for key in ("image_size", "validation_images", "resume")}
    spec = build(
        CnnSpec,
        shared,
        "bigdl_cnn",
        network=network,
        engine=engine,
        justification=" ".join(model.justification.split()),
        options=model.options,
        recipe=model.recipe,
    )
    for key in ("crop_padding", "shift_at_test"):
        if (pixels := getattr(spec.recipe, key)) >= spec.image_size:
            raise UserError(
                f"{what}.recipe.{key} is {pixels}, but must be smaller than the images ({spec.image_size} pixels), which are "
                "reflected at their border."
            )
    # The number of classes is known only with the images; no rule of a network depends on it.
    return replace(spec, options=checked_network(network, NetworkShape(spec.image_size, classes=2), spec.options))


def check_sizes(spec: CnnSpec, train_images: int | str, workers: int) -> None:
    """Checks that every worker gets images and every step is full.

    Args:
        spec: The CNN.
        train_images: How many images there are to learn from; `ALL` before that is known, which is compared with nothing.
        workers: How many workers train.

    Raises:
        UserError: If there are fewer images than workers or than one step takes, or a step has fewer than workers.
    """
    batch = spec.recipe.batch_size
    key = f"bigdl_cnn.models.{spec.network}.recipe.batch_size"
    if train_images != ALL and train_images < workers:
        raise UserError(
            f"{counted(train_images, 'training image')}: fewer than the {workers} workers, one per executor, so that some would "
            "have none. Take more images (train_size), or a setting with fewer executors."
        )
    if batch < workers:
        raise UserError(
            f"{key} is {batch}, fewer than the {workers} workers, one per executor: every worker needs at least one image "
            f"per step. Set it to at least {workers}, or take a setting with fewer executors."
        )
    if train_images != ALL and batch > train_images:
        raise UserError(
            f"{key} is {batch}, more than the {counted(train_images, 'training image')}, so that no step would be full. Set it to at "
            f"most {train_images}, or take more images (train_size)."
        )
