"""Which features, as the configuration wants them, checked before any Spark process starts."""

from dataclasses import dataclass
from typing import Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import whole
from cifar_pipelines.common.precision import PRECISIONS
from cifar_pipelines.extractors import Extractor, create_extractor, options_of, require_known

MOST = 4096  # pixels of height and width, images at once, tasks of a core


@dataclass(frozen=True)
class FeaturesSpec:
    """Which features, and how they are computed.

    Attributes:
        extractor: "kmeans_patches", "torchvision:<backbone>" or "timm:<backbone>" for images; "tfidf" for texts.
        weights_path: A state dict for the backbone, the same as `weights` "path:<file>".
        input_size: Height and width in pixels; None takes the extractor's default.
        precision: "auto" (bf16 where the executors' CPUs have it), "bf16" or "fp32".
        micro_batch: Images per forward pass.
        tasks_per_core: Tasks that every core gets; more make progress finer and skew smaller.
        options: Further options by family of extractors, "torchvision", "timm" or "kmeans_patches".
        weights: "download", "path:<file>", "package:<distribution>" or "none"; None takes the extractor's own.
    """

    extractor: str
    weights_path: str | None
    input_size: int | None
    precision: str
    micro_batch: int
    tasks_per_core: int
    options: dict[str, dict[str, Any]]
    weights: str | None = None

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UserError(f"precision is {self.precision!r}, but must be one of {', '.join(PRECISIONS)}.")
        for name in ("micro_batch", "tasks_per_core", "input_size"):
            if (value := getattr(self, name)) is not None or name != "input_size":
                whole(name, value, 1, MOST)
        for name in self.options:
            require_known(name)


def create_checked_extractor(spec: FeaturesSpec) -> Extractor:
    """Creates the extractor and makes sure that its weights are there, before any Spark process starts."""
    extractor = create_extractor(
        spec.extractor, spec.weights_path, spec.input_size, options_of(spec.extractor, spec.options), spec.weights
    )
    extractor.check()
    return extractor
