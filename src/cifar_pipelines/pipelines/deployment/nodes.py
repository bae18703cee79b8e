"""Nodes of the deployment pipeline; none of them needs Spark."""

import logging
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.lazy_types import Figure
from cifar_pipelines.common.own_code import told
from cifar_pipelines.common.tables import judged_split
from cifar_pipelines.pipelines.deployment.judging import judge
from cifar_pipelines.pipelines.deployment.specification import Plan
from cifar_pipelines.plots.of_deployment import plot_deployment
from cifar_pipelines.records.deployment_choice import choose_variant
from cifar_pipelines.records.deployment_record import (
    ORIGINAL,
    DeploymentRecord,
    Latency,
    Limits,
    MadeVariant,
    NotMeasured,
    VariantResult,
)
from cifar_pipelines.records.json_form import from_json
from cifar_pipelines.records.parts import Data, HostLoad
from cifar_pipelines.records.provenance import git_revision, versions
from cifar_pipelines.spark.host import HostMeter
from cifar_pipelines.spark.run_context import RunContext
from cifar_pipelines.spark.setting import host_cores

if TYPE_CHECKING:
    from cifar_pipelines.compression.subject import Subject
    from cifar_pipelines.compression.variants import Logits, Variant

logger = logging.getLogger(__name__)

LIBRARIES = ("onnx", "onnxruntime", "torchao", "torch-pruning")
WORTH_ITS_NAME = 0.9  # of the bytes of the original: a variant that is known to be hollow and has more is called so


@dataclass(frozen=True)
class Measured:
    """What was measured of variants that were made.

    Attributes:
        latency: Latencies by name.
        failed: Those that cannot run here.
        host_load: How busy the host was.
        validation: Predictions of the validation images, without rows where there are none.
    """

    latency: dict[str, tuple[Latency, ...]]
    failed: tuple[NotMeasured, ...]
    host_load: HostLoad
    validation: pd.DataFrame


def make_variants(
    plan: Plan, folder: Path, seed: int, run_context: RunContext
) -> tuple[list[MadeVariant], list[NotMeasured]]:
    """Makes the original and all variants, each in a file of a folder of this run.

    Returns:
        The variants that were made, the original first, and those that could not be, with the reason.

    Raises:
        UserError: If the saved network cannot be read.
    """
    from cifar_pipelines.compression.subject import ImageTable, Material, load_subject
    from cifar_pipelines.compression.timing import torch_threads

    subject = load_subject(plan.network.file)
    material = Material(ImageTable(plan.table, subject.square), plan.spec.calibration_images, seed)
    made, missing = [], []
    for name, variant in plan.variants().items():
        file = folder / run_context.run_id / f"{name}.{variant.ending}"
        started = time.perf_counter()
        try:
            if reason := variant.obstacle():
                raise UserError(reason)
            with torch_threads(host_cores()):  # what making takes is not compared
                known = vars(variant.make(subject, material, file))
        except Exception as error:  # of libraries that take a network apart, in many kinds
            missing.append(_not_measured(name, error))
            continue
        seconds, size = round(time.perf_counter() - started, 2), file.stat().st_size
        logger.info("%s: %.3g MB, made in %.1f s.", name, size / 1e6, seconds)
        hollow = _hollow(variant, size, made)
        runs = {"runtime": variant.runtime, "baseline": variant.baseline, "hollow": hollow}
        made.append(
            MadeVariant(name=name, file=os.path.relpath(file), file_bytes=size, make_s=seconds, **runs, **known)
        )
    return made, missing


def measure(plan: Plan, made: list[MadeVariant], images_info: dict[str, Any]) -> tuple[Measured, pd.DataFrame]:
    """Loads every variant from its file, times all of them in turn, and predicts validation and test images with each.

    Returns:
        What was measured, and a table with a row per variant and test image (validation image, where no test image has a
        label): `variant`, and the columns of a predictions
        table.

    Raises:
        UserError: If the image table holds other test images than its description says.
    """
    from cifar_pipelines.compression.predicting import predict_all
    from cifar_pipelines.compression.subject import ImageTable, load_subject
    from cifar_pipelines.compression.timing import BATCHES, time_in_turn, torch_threads

    spec, subject = plan.spec, load_subject(plan.network.file)
    with torch_threads(spec.threads):
        loaded, failed = _load_all(plan, made, subject)
        meter = HostMeter()
        batches = [time_in_turn(loaded, subject.example(size), spec.warm_up, spec.seconds) for size in BATCHES]
        host_load = from_json(HostLoad, meter.stop())
        table = ImageTable(plan.table, subject.square)
        validation = predict_all(loaded, subject, table, "validation")
        judged = judged_split(images_info)
        predictions = validation if judged == "validation" else predict_all(loaded, subject, table, judged)
    rows, wanted = int((predictions["variant"] == ORIGINAL).sum()), images_info[f"{judged}_size"]
    if rows != wanted:
        raise UserError(
            f"The image table holds {rows} {judged} images, but its description says {wanted}. Make them again."
        )
    latency = {name: tuple(batch[name] for batch in batches) for name in loaded}
    return Measured(latency, tuple(failed), host_load, validation), predictions


def describe(
    plan: Plan,
    made: list[MadeVariant],
    missing: list[NotMeasured],
    measured: Measured,
    predictions: pd.DataFrame,
    images_info: dict[str, Any],
    seed: int,
    run_context: RunContext,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Judges every variant on the test images, and says which to ship where validation images were cut from training.

    Returns:
        The content of the record, and its numbers as a table with a row per variant.
    """
    from cifar_pipelines.compression.subject import load_subject

    spec, subject = plan.spec, load_subject(plan.network.file)
    quality = judge(predictions, images_info["class_names"])
    validation = judge(measured.validation, images_info["class_names"]) if len(measured.validation) else {}
    variants = tuple(
        VariantResult(
            **vars(one),
            latency=measured.latency[one.name],
            quality=quality[one.name],
            validation=validation.get(one.name),
        )
        for one in made
        if one.name in quality
    )
    limits = Limits(spec.accuracy_loss, spec.file_mb)
    validation_images = int((measured.validation["variant"] == ORIGINAL).sum())
    shipped, answer = choose_variant(variants, limits, validation_images)
    logger.info(answer)
    record = DeploymentRecord(
        run_id=run_context.run_id,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        model=spec.model,
        network=os.path.relpath(plan.network.file),
        setting=plan.network.setting,
        data=from_json(Data, {**images_info, "seed": seed}),
        test_images=images_info["test_size"],
        image_size=subject.size,
        threads=spec.threads,
        warm_up=spec.warm_up,
        seconds=spec.seconds,
        host_cores=host_cores(),
        host_load=measured.host_load,
        versions=versions(*LIBRARIES),
        git_revision=git_revision(),
        limits=limits,
        shipped=shipped,
        answer=answer,
        variants=variants,
        not_measured=(*missing, *measured.failed),
        notes=subject.notes,
        validation_images=validation_images,
    )
    return record.to_json(), record.table()


def draw(record: dict[str, Any]) -> Figure:
    """Draws accuracy, time and bytes of all variants."""
    return plot_deployment(DeploymentRecord.from_json(record))


def announce(*results: Any) -> dict[str, Any]:
    """Adds nothing to the run records: it makes a comparison in the same run wait for what its report shows."""
    return {}


def _not_measured(name: str, error: Exception) -> NotMeasured:
    """A variant that fails costs no other one; the original is what all are compared with."""
    if name == ORIGINAL and not isinstance(error, UserError):
        raise error
    reason = str(error) if isinstance(error, UserError) else told(error)
    logger.warning("%s is not measured: %s", name, reason)
    logger.debug("Its traceback:", exc_info=error)
    return NotMeasured(name, reason)


def _hollow(variant: "Variant", size: int, made: list[MadeVariant]) -> str:
    """Why a variant only looks smaller; empty where its file is a good deal smaller than the original's."""
    return variant.hollow if made and size > WORTH_ITS_NAME * made[0].file_bytes else ""


def _load_all(plan: Plan, made: list[MadeVariant], subject: "Subject") -> tuple[dict[str, "Logits"], list[NotMeasured]]:
    """Loads every variant from its file, and leaves out those that do not take every number of images."""
    from cifar_pipelines.compression.quiet import quiet
    from cifar_pipelines.compression.timing import require_any_batch

    loaded, failed, variants = {}, [], plan.variants()
    for one in made:
        try:
            with quiet():  # torch compiles at the first calls
                logits = variants[one.name].load(subject, Path(one.file), plan.spec.threads)
                require_any_batch(logits, subject)
        except Exception as error:  # likewise
            failed.append(_not_measured(one.name, error))
            continue
        loaded[one.name] = logits
    return loaded, failed
