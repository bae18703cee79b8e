"""What is to be deployed, as the configuration wants it, checked before any work."""

import math
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.configuration import selected_names
from cifar_pipelines.common.contents import IMAGE, content_of, require_content
from cifar_pipelines.common.errors import UserError, unknown_name
from cifar_pipelines.common.options import whole
from cifar_pipelines.common.params import command_to_run
from cifar_pipelines.common.tables import judged_split
from cifar_pipelines.common.words import counted
from cifar_pipelines.records.deployment_record import ORIGINAL
from cifar_pipelines.spark.setting import host_cores

if TYPE_CHECKING:
    from cifar_pipelines.compression.variants import Variant

ENDING = ".pt"
EXAMPLE = "bf16+onnx_int8"


@dataclass(frozen=True)
class DeploymentSpec:
    """A trained network, its variants, and how they are measured.

    Attributes:
        model: Name of the model; its newest saved version is taken.
        variants: Names of the variants beside the original: a list, or names joined by "+".
        threads: Threads of every variant.
        calibration_images: Training images from which the ranges of activations are taken, and what channels are worth.
        warm_up: Calls before the clock in every turn.
        seconds: Seconds of timed calls, for each variant and number of images per call.
        accuracy_loss: Points of accuracy that the variant to ship may lose.
        file_mb: MB (10^6 bytes) that its file may have.
        options: Options by variant.
    """

    model: str
    variants: Any
    threads: int
    calibration_images: int
    warm_up: int
    seconds: float
    accuracy_loss: float
    file_mb: float
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("threads", "calibration_images"):
            whole(f"deployment.{name}", getattr(self, name), 1)
        whole("deployment.warm_up", self.warm_up, 0)
        for name, least in (("seconds", "above"), ("file_mb", "above"), ("accuracy_loss", "at least")):
            value = getattr(self, name)
            if not (0 < value < math.inf or (value == 0 and least == "at least")):
                raise UserError(f"deployment.{name} is {value!r}, but must be a number {least} 0.")
        self.create_variants()

    def create_variants(self) -> "dict[str, Variant]":
        """The variants by name, the original first.

        Raises:
            UserError: If a name or an option is unknown or illegal, there is no name or one is there twice, or a library
                is not installed.
        """
        from cifar_pipelines.compression.variants import create_variant, variant_names

        for name in self.options:
            if name not in variant_names():
                raise unknown_name("variant", name, variant_names(), "deployment.options holds options by variant.")
        asked = selected_names("deployment.variants", self.variants, EXAMPLE)
        names = [ORIGINAL, *(name for name in asked if name != ORIGINAL)]
        return {name: create_variant(name, self.options.get(name)) for name in names}


@dataclass(frozen=True)
class SavedVersion:
    """A saved network: the setting that it was trained under, its version, and its file."""

    setting: str
    version: str
    file: Path


@dataclass(frozen=True)
class Plan:
    """What was found right before any work: of which saved network what is made, and the files of the image table."""

    spec: DeploymentSpec
    network: SavedVersion
    table: tuple[str, ...]

    def variants(self) -> "dict[str, Variant]":
        """The variants by name, the original first."""
        return self.spec.create_variants()


def configure(spec: DeploymentSpec, trained_networks: Path, image_table: Path, images_info: dict[str, Any]) -> Plan:
    """Checks all that can be checked before any work: the network, the variants and their libraries, threads, images.

    Args:
        spec: The block of parameters.
        trained_networks: The folder of the networks that were trained on these images.
        image_table: The folder of the image table.
        images_info: Its description.

    Raises:
        UserError: For the first mistake.
    """
    remedy = "Its variants are timed on images; kedro predict runs a network of texts as it was trained."
    require_content(content_of(images_info), IMAGE, "The pipeline deployment", remedy)
    network = newest_network(trained_networks, spec.model)
    if spec.threads > (cores := host_cores()):
        raise UserError(
            f"deployment.threads is {spec.threads}, more than the {counted(cores, 'core')} of this host, so that threads "
            "would wait for each other. Lower it."
        )
    files = tuple(sorted(map(str, image_table.glob("*.parquet"))))
    if not (image_table / "_SUCCESS").exists() or not files:
        raise UserError(f"The image table was not written to its end. Make it again: {command_to_run('ingestion')}")
    if not images_info.get(f"{judged_split(images_info)}_size"):
        raise UserError(
            "There is neither a test image with a label nor a validation image, so no variant can be judged. Set test_size to at "
            "least 1, or cut validation images from training with --params validation.share=0.15."
        )
    _require_same_images(network, images_info)
    return Plan(spec, network, files)


def _require_same_images(network: SavedVersion, images_info: dict[str, Any]) -> None:
    """Raises a `UserError` for a network of other images: what are test images now it may have been trained on."""
    from cifar_pipelines.training.saved_network import read_network

    trained_on = read_network(network.file).training.get("images_fingerprint")  # not in the files of earlier versions
    if trained_on not in (None, images_info["fingerprint"]):
        raise UserError(
            f"{network.file} was trained on other images than those that are there now (their fingerprints begin with "
            f"{trained_on[:8]} and {images_info['fingerprint'][:8]}), so these cannot judge it. Train it again on them."
        )


def newest_network(folder: Path, model: str) -> SavedVersion:
    """Finds the newest saved version of a network under any setting.

    Args:
        folder: Holds `<setting>/<model>.pt/<version>/<model>.pt`.
        model: Name of the model.

    Raises:
        UserError: If there is none; it names those that are there.
    """
    found = folder.glob(f"*/{escape(model)}{ENDING}/*/{escape(model)}{ENDING}")
    versions = [SavedVersion(file.parents[2].name, file.parent.name, file) for file in found]
    if versions:
        return max(versions, key=lambda one: (one.version, one.setting))
    known = {file.name.removesuffix(ENDING) for file in folder.glob(f"*/*{ENDING}/*/*{ENDING}")}
    raise unknown_name(
        "trained network", model, known, "These are saved for these images; another one has to be trained first, such as "
        "with `kedro run --pipelines bigdl_cnn` and the same parameters."
    )  # fmt: skip
