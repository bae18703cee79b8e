"""Feature extractors: an image in, a vector of numbers out. One file, one extractor."""

from collections.abc import Mapping
from typing import Any

from cifar_pipelines.common.errors import UserError, unknown_name
from cifar_pipelines.common.options import checked_options
from cifar_pipelines.extractors.base import Extractor
from cifar_pipelines.extractors.kmeans_patches import KMeansPatches
from cifar_pipelines.extractors.torchvision_backbone import TorchvisionBackbone

EXTRACTORS = {"kmeans_patches": KMeansPatches, "torchvision:<backbone>": TorchvisionBackbone}


def create_extractor(
    name: str,
    weights_path: str | None = None,
    input_size: int | None = None,
    options: dict[str, Any] | None = None,
) -> Extractor:
    """Creates an extractor by name.

    Args:
        name: "kmeans_patches" or "torchvision:<backbone>", such as "torchvision:mobilenet_v2".
        weights_path: A state dict for the backbone; None takes torchvision's weights.
        input_size: Height and width in pixels; None takes the extractor's own default.
        options: Further arguments of the extractor.

    Returns:
        The extractor, not checked yet.

    Raises:
        UserError: If the name or an option is unknown.
    """
    options = options or {}
    family, _, backbone = str(name).partition(":")
    if family == "torchvision" and backbone:
        checked = checked_options(TorchvisionBackbone, options, "torchvision backbones")
        return TorchvisionBackbone(backbone, weights_path, input_size, **checked)
    if name == "kmeans_patches":
        if weights_path is not None:
            raise UserError("kmeans_patches learns its dictionary and takes no weights_path; leave it out.")
        return KMeansPatches(input_size, **checked_options(KMeansPatches, options, "kmeans_patches"))
    raise unknown_name("extractor", name, EXTRACTORS, "Write torchvision:mobilenet_v2 for a backbone.")


def options_of(name: str, options: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The options of the family that an extractor belongs to, from all families' options."""
    return dict(options.get(str(name).partition(":")[0]) or {})
