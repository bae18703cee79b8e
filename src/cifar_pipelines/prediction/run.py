"""A saved model predicts a folder of images, or texts, on the cluster, into a CSV."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cifar_pipelines.common import whole_files
from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.common.contents import content_of
from cifar_pipelines.common.disk import disk_errors_explained
from cifar_pipelines.common.errors import UserError, mistake_behind
from cifar_pipelines.common.places import place
from cifar_pipelines.common.resolvers import slug
from cifar_pipelines.common.words import counted, some
from cifar_pipelines.judging.predictions import UNLABELLED_COLUMNS
from cifar_pipelines.pipelines.new_images import NewImages, Predictor
from cifar_pipelines.prediction.request import Request, description_of
from cifar_pipelines.records.digest import short_digest
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.saved_models import MODEL
from cifar_pipelines.spark.failures import spark_failure
from cifar_pipelines.spark.session import SparkRuntime
from cifar_pipelines.spark.spark_config import SparkConfig

NAMED = 5  # bad images in a message; the description holds all


@dataclass(frozen=True)
class Predicted:
    """What came of a prediction.

    Attributes:
        rows: `image`, `label` (the predicted class) and `probability`, one row per image in the folder's order.
        bad: Images that could not be decoded, with the reason.
        seconds: How long the executors took.
        probabilities: Those of all classes, float (rows, classes).
    """

    rows: pd.DataFrame
    bad: dict[str, str]
    seconds: float
    probabilities: np.ndarray | None = None


def run_request(request: Request) -> tuple[RunRecord, Predicted, Path | None]:
    """Checks a request, predicts, and writes the CSV with its description, both whole or not at all.

    Returns:
        The run record of the model, what came of it, and the CSV; None where none was to be written.

    Raises:
        UserError: For whatever is wrong with the request, the model or the images.
    """
    from kedro.io.core import generate_timestamp

    run_id = generate_timestamp()
    setting, on_bad_image, config = (
        request.setting,
        request.on_bad_image,
        SparkConfig.from_config(request.loader["spark"]),
    )
    target = request.target(run_id)
    record, predictor = request.saved_model()
    content = content_of(vars(record.data))
    found, names = request.inputs(content)
    run_name = "-".join(slug(part) for part in (config.run_name, "predict", run_id) if part)
    with disk_errors_explained():
        with explained(SparkRuntime(setting, config, run_name)) as runtime:
            images = NewImages(runtime.session, found, names, runtime.info.cores, content)
            predicted = predict_images(images, predictor, record.model, record.data.class_names)
        _settle(predicted, len(names), on_bad_image, content.noun)
        if request.texts:
            _keep_sentences(record, predicted, request.texts)
        if target is None:
            return record, predicted, None
        with whole_files.writing(target) as partial:
            predicted.rows.to_csv(partial, index=False)
            whole_files.write_json(description_of(target), _described(record, predicted, request, len(names)), indent=2)
    return record, predicted, target


def _keep_sentences(record: RunRecord, predicted: Predicted, texts: Sequence[str]) -> None:
    """Leaves what was said of texts for the report, a file for each text, model and version."""
    for row, name in enumerate(predicted.rows["image"]):
        text = texts[int(name) - 1]
        shares = dict(zip(record.data.class_names, map(float, predicted.probabilities[row]), strict=True))
        told = {"text": text, "model": record.model, "version": record.run_id, "label": predicted.rows["label"][row]}
        file = f"{slug(record.model)}-{record.run_id}-{short_digest(text, 8)}.json"
        whole_files.write_json(PROJECT_PATH / place("sentences") / file, told | {"probabilities": shares}, indent=2)


def predict_images(images: NewImages, predictor: Predictor, model: str, class_names: Sequence[str]) -> Predicted:
    """Predicts images on a running session, with progress.

    Raises:
        UserError: If images are left without a prediction though nothing is wrong with them.
    """
    from cifar_pipelines.spark.timing import measured_work

    what = counted(len(images.names), images.content.noun)
    with measured_work(images.session, f"Predicting {what} with {model}") as work:
        table = predictor(images)
    bad = images.bad
    names = [name for name in images.names if name not in bad]
    rows = to_rows(table, names, class_names)
    probabilities = np.array(table.set_index("image_id").loc[names, "probability"].tolist())
    return Predicted(rows, bad, work.wall_s, probabilities)


def to_rows(table: pd.DataFrame, names: Sequence[str], class_names: Sequence[str]) -> pd.DataFrame:
    """Lays predictions out for people.

    Args:
        table: `image_id`, `prediction` and `probability` (of every class), in any order.
        names: The ids of the images, in the order that is wanted.
        class_names: The classes, by label.

    Returns:
        `image`, `label` (the predicted class) and `probability`, one row per image in that order.

    Raises:
        UserError: If an image has no prediction, or more than one.
    """
    if sorted(table["image_id"]) != sorted(names):
        raise UserError(
            f"{len(names)} images have {len(table)} predictions: the folder changed meanwhile. Predict again."
        )
    ordered = table.set_index("image_id").loc[list(names)]
    label = [class_names[number] for number in ordered["prediction"]]
    sure = [float(row[number]) for row, number in zip(ordered["probability"], ordered["prediction"], strict=True)]
    return pd.DataFrame(dict(zip(UNLABELLED_COLUMNS, (list(names), label, sure), strict=True)))


def _settle(predicted: Predicted, images: int, on_bad_image: str, noun: str = "image") -> None:
    """Refuses images that cannot be decoded where they are to fail, or where nothing is left without them."""
    if not predicted.bad or (on_bad_image == "skip" and len(predicted.bad) < images):
        return
    named = some([f"{name} ({reason})" for name, reason in predicted.bad.items()], NAMED, noun)
    remedy = "Replace them" + (
        ", or leave them out with --params on_bad_image=skip." if len(predicted.bad) < images else "."
    )
    raise UserError(f"{len(predicted.bad)} of {counted(images, noun)} cannot be decoded: {named}. {remedy}")


def _described(record: RunRecord, predicted: Predicted, request: Request, images: int) -> dict[str, Any]:
    """Where the predictions come from, as values that JSON can hold."""
    return {
        "model": record.model,
        "family": record.family,
        "version": record.run_id,
        "path": record.artifacts[MODEL],
        "features": record.features_identity,
        "classes": list(record.data.class_names),
        "folder": None if request.texts else str(request.path),
        "images": images,
        "predicted": len(predicted.rows),
        "bad_images": predicted.bad,
        "setting": request.setting.name,
        "seconds": round(predicted.seconds, 3),
    }


@contextmanager
def explained(runtime: SparkRuntime) -> Iterator[SparkRuntime]:
    """Starts a runtime, ends it with the block, and turns what Spark says of a failure into a sentence."""
    with runtime as started:
        try:
            yield started
        except Exception as error:
            failure = None if mistake_behind(error) else spark_failure(error)  # now, because the JVM has the text
            if failure is None:
                raise
            if runtime.watch is not None and runtime.watch.reason is not None:
                raise UserError(runtime.watch.reason) from None
            log = runtime.log_dir / "error.log"
            whole_files.write_text(log, failure.text)
            raise UserError(f"{failure.reason} All that Spark says is in {os.path.relpath(log)}.") from None
