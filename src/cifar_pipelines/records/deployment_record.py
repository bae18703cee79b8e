"""What a study of deployment leaves behind: the variants of one trained network, measured side by side."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.records.json_form import from_json, to_json
from cifar_pipelines.records.parts import Data, HostLoad

SCHEMA_VERSION = 1
ORIGINAL = "original"  # the variant that all others are compared with


@dataclass(frozen=True)
class Latency:
    """How long calls with so many images took.

    Attributes:
        batch: Images per call.
        p50_ms: Median milliseconds of a call.
        p95_ms: 95th percentile.
        images_per_s: Images per second, by the median.
        calls: Calls that were timed.
    """

    batch: int
    p50_ms: float
    p95_ms: float
    images_per_s: float
    calls: int


@dataclass(frozen=True)
class Quality:
    """How well a variant predicts the test images, or those of validation.

    Attributes:
        accuracy: Share of right predictions; `low` and `high` are the ends of its Wilson interval (95 %).
        agreement: Share of images on which it predicts what the original predicts.
        largest_shift: The largest difference of a probability to that of the original, 0 to 1.
        only_original: Images that the original alone got right; `only_variant` those that the variant alone did.
        p: Of the exact McNemar test against the original; 1 for the original itself.
        p_holm: The same, adjusted for all variants.
        loss_low: Lower end of the paired bootstrap interval (95 %) of the accuracy that is lost.
        loss_high: Its upper end.
    """

    accuracy: float
    low: float
    high: float
    agreement: float
    largest_shift: float
    only_original: int
    only_variant: int
    p: float
    p_holm: float
    loss_low: float
    loss_high: float


@dataclass(frozen=True, kw_only=True)
class MadeVariant:
    """A variant in its file.

    Attributes:
        name: Its name.
        runtime: What runs it.
        baseline: The variant in float32 of the same runtime.
        file: Path of its file.
        file_bytes: Size of that file.
        parameters: Number of weights.
        make_s: Seconds that making it took.
        flops: Floating-point operations for one image; None where they are those of the original.
        int8_layers: Convolutions and matrix products that are computed with integers; None where none is meant to be.
        layers: All of them.
        hollow: Why it only looks smaller or faster; empty for one that is.
        facts: What else is known of how it was made.
    """

    name: str
    runtime: str
    baseline: str
    file: str
    file_bytes: int
    parameters: int
    make_s: float
    flops: int | None = None
    int8_layers: int | None = None
    layers: int | None = None
    hollow: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class VariantResult(MadeVariant):
    """A variant that was measured.

    Attributes:
        latency: One per number of images per call.
        quality: How well it predicts the test images, or those of validation where no test image has a label.
        validation: The same of validation images; None where none were cut from training.
    """

    latency: tuple[Latency, ...]
    quality: Quality
    validation: Quality | None = None

    @property
    def chosen_by(self) -> Quality:
        """What decides whether it is shipped: validation images where there are some, so that nothing is chosen on test images."""
        return self.validation or self.quality

    def at(self, batch: int) -> Latency:
        """Its latency with so many images per call."""
        return next(latency for latency in self.latency if latency.batch == batch)


@dataclass(frozen=True)
class NotMeasured:
    """A variant that was asked for and is not there, and why, in a sentence."""

    name: str
    reason: str


@dataclass(frozen=True)
class Limits:
    """What a variant has to keep to be shipped: points of accuracy that may be lost, and MB (10^6 bytes) of its file."""

    accuracy_loss: float
    file_mb: float


@dataclass(frozen=True)
class DeploymentRecord:
    """Variants of one trained network; its fields are the keys of the JSON file.

    Attributes:
        run_id: Kedro's id of the run.
        created: When it was written, ISO 8601.
        model: Name of the model.
        network: Path of the network that was saved.
        setting: The parallelism setting that it was trained under.
        data: The images.
        test_images: Test images that were predicted; 0 where none has a label, so that validation images judge.
        image_size: Height and width in pixels that the network takes.
        threads: Threads that every variant had, set by the project.
        warm_up: Calls before the clock, in each of several turns.
        seconds: Seconds of timed calls, for each variant and number of images.
        host_cores: Cores of the host.
        host_load: How busy it was while the clock ran.
        versions: Versions of Python and of libraries.
        git_revision: The commit of the code; None outside of git.
        limits: What a variant has to keep.
        shipped: Name of the variant to ship; None where none keeps the limits.
        answer: Which variant to ship and why, in a sentence.
        variants: All that were measured, the original first.
        not_measured: All others that were asked for.
        notes: What else a reader has to know, in sentences.
        validation_images: Validation images that were predicted, which decided what to ship; with 0 the test images did.
    """

    run_id: str
    created: str
    model: str
    network: str
    setting: str
    data: Data
    test_images: int
    image_size: int
    threads: int
    warm_up: int
    seconds: float
    host_cores: int
    host_load: HostLoad
    versions: dict[str, str]
    git_revision: str | None
    limits: Limits
    shipped: str | None
    answer: str
    variants: tuple[VariantResult, ...]
    not_measured: tuple[NotMeasured, ...] = ()
    notes: tuple[str, ...] = ()
    validation_images: int = 0

    @classmethod
    def from_json(cls, content: Any) -> "DeploymentRecord":
        """Reads a record.

        Raises:
            UserError: If the schema is another one, or a key is missing or has the wrong type.
        """
        version = content.get("schema_version") if isinstance(content, Mapping) else None
        if version != SCHEMA_VERSION:
            raise UserError(
                f"The record of a deployment has schema_version {version!r}, not {SCHEMA_VERSION}. Run again."
            )
        try:
            record = from_json(cls, content)
            if record.variants[0].name != ORIGINAL:
                raise TypeError("the first variant is not the original")
        except (TypeError, ValueError, AttributeError, IndexError) as error:
            raise UserError(f"The record of a deployment is not complete ({error}). Run again.") from error
        return record

    def to_json(self) -> dict[str, Any]:
        """The record as the content of a JSON file."""
        return {"schema_version": SCHEMA_VERSION} | to_json(self)

    @property
    def original(self) -> VariantResult:
        """The network as it was trained."""
        return self.variants[0]

    def baseline_of(self, variant: VariantResult) -> VariantResult | None:
        """The variant in float32 of the same runtime; None where it was not measured."""
        return next((one for one in self.variants if one.name == variant.baseline), None)

    def speedup(self, variant: VariantResult, batch: int) -> float | None:
        """How many times faster a variant is than its baseline, by medians; None where that was not measured."""
        baseline = self.baseline_of(variant)
        return None if baseline is None else baseline.at(batch).p50_ms / variant.at(batch).p50_ms

    def table(self) -> pd.DataFrame:
        """One row per variant that was measured, with all numbers as columns."""
        return pd.DataFrame([self._row(variant) for variant in self.variants])

    def _row(self, variant: VariantResult) -> dict[str, Any]:
        plain = ("name", "runtime", "baseline", "file_bytes", "parameters", "flops", "int8_layers", "layers", "make_s")
        row = {name: getattr(variant, name) for name in plain}
        for latency in variant.latency:
            numbers = {name: value for name, value in vars(latency).items() if name != "batch"}
            numbers["speedup_over_baseline"] = self.speedup(variant, latency.batch)
            row |= {f"{name}_batch_{latency.batch}": value for name, value in numbers.items()}
        return row | vars(variant.quality) | {"hollow": variant.hollow, "shipped": variant.name == self.shipped}
