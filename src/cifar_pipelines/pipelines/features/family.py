"""The family of feature extractions: one extractor at a time, nothing is trained."""

from typing import Any

from cifar_pipelines.extractors import content_read_by, weights_named
from cifar_pipelines.families import Family, Parameters
from cifar_pipelines.spark.setting import ParallelismSetting


def selected_extractors(parameters: Parameters) -> list[str]:
    """The extractor of `features.extractor`."""
    return [parameters["features"]["extractor"]]


def depends_on(parameters: Parameters, model: str) -> dict[str, Any]:
    """The block of the features, and what the files hold that it names.

    Weights count only where they are named: digests are older than that name.
    """
    from cifar_pipelines.backbones import content_sha256

    block = parameters["features"]
    named = weights_named(block["weights_path"], block.get("weights"))
    kept = {key: value for key, value in block.items() if key != "weights" or value is not None}
    return {
        "features": kept | ({"weights_sha256": sha256} if (sha256 := content_sha256(block["extractor"], named)) else {})
    }


def check(parameters: Parameters, setting: ParallelismSetting) -> None:
    """Refuses an unknown extractor, wrong options, and weights that are missing."""
    from cifar_pipelines.pipelines.features.specification import FeaturesSpec, create_checked_extractor

    create_checked_extractor(FeaturesSpec(**parameters["features"]))


FAMILY = Family(
    "features",
    "extractions of features",
    selected_extractors,
    depends_on,
    check,
    predicts_validation=False,
    former_names=("feature_extraction",),
    reads=lambda parameters, model: content_read_by(model),
)
