"""`kedro predict` against a bare loop: image files in a folder, read, decoded, looked at and classified."""

import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.result import Bar, Result
from benchmarks.workload import Step, Workload
from cifar_pipelines.common.images import load_batch
from cifar_pipelines.pipelines.new_images import NewImages
from cifar_pipelines.pipelines.spark_ml.nodes import cache_tables, configure_classifier, train
from cifar_pipelines.pipelines.spark_ml.saved import predictor_of
from cifar_pipelines.prediction.run import predict_images

NAME = "new_images"
BAR = Bar(0.80, at_least=True)


def measure(work: Workload, images: int, repeats: int, step: Step) -> Result:
    """Predicts the same files with a logistic regression, on Spark and in a plain loop in this process, in turn.

    Spark's clock is that of `kedro predict`: from the list of names to the sorted table of labels. It covers what the
    loop does too: reading and decoding files, features, and the product with the weights of the classes.

    Args:
        work: The workload.
        images: Files; where there are fewer training images, some are copies.
        repeats: Rounds; in each one both sides predict once.
        step: Called with a sentence at every step.
    """
    import torch

    step(f"Training the model that predicts {images} files.")
    model, precision = _trained(work)
    micro_batch, class_names = work.spec.micro_batch, work.images_info["class_names"]
    predictor = predictor_of(lambda: model, work.extractor, work.state, precision, micro_batch)
    torch.set_num_threads(work.cores)
    features = work.extractor.build(work.state, precision)
    weights, bias = model.coefficientMatrix.toArray().T, model.interceptVector.toArray()

    def labels_of(files: Sequence[bytes]) -> Any:
        return (features(load_batch(files, work.extractor.input_size)) @ weights + bias).argmax(1)

    spark_speeds, loop_speeds = [], []
    with tempfile.TemporaryDirectory() as folder:
        names = _write_files(work, images, Path(folder))
        bare_loop(Path(folder), names[:micro_batch], labels_of, micro_batch)
        for repeat in range(repeats):
            step(f"New images, round {repeat + 1} of {repeats}: Spark.")
            new = NewImages(work.session, Path(folder), names, work.cores)
            predicted = predict_images(new, predictor, NAME, class_names)
            spark_speeds.append(images / predicted.seconds)
            step(f"New images, round {repeat + 1} of {repeats}: bare loop in {precision}.")
            labels, speed = bare_loop(Path(folder), names, labels_of, micro_batch)
            loop_speeds.append(speed)
    same = sum(class_names[mine] == theirs for mine, theirs in zip(labels, predicted.rows["label"], strict=True))
    notes = [
        f"{images} files, {work.extractor.name} at {work.extractor.input_size} px in {precision}; "
        f"{same} labels are the same on both sides.",
        f"In the first round, with the start of the Python workers: {spark_speeds[0]:,.0f} images/s; median: "
        f"{median(spark_speeds):,.0f}.",
    ]
    return Result(NAME, "images/s", spark_speeds, loop_speeds, BAR, notes)


def bare_loop(
    folder: Path, names: Sequence[str], labels_of: Callable[[Sequence[bytes]], Any], batch: int
) -> tuple[list[int], float]:
    """Predicts files in batches; returns the labels, and images per second."""
    started = time.perf_counter()
    labels: list[int] = []
    for start in range(0, len(names), batch):
        labels += labels_of([(folder / name).read_bytes() for name in names[start : start + batch]]).tolist()
    return labels, len(names) / (time.perf_counter() - started)


def _trained(work: Workload) -> tuple[Any, str]:
    """A logistic regression on the features of the training images, and their precision."""
    features, info, _ = work.extract(work.images)
    table, _, _ = cache_tables(features, info, work.images_info, work.spec.options, work.context)
    block = work.parameters["spark_ml"]["classifiers"]["logistic_regression"]
    classifier = configure_classifier("logistic_regression", block, repeats=1)
    model, _ = train(table, classifier, info, work.images_info, work.parameters["subset"]["seed"], work.context)
    features.unpersist()
    table.unpersist()
    return model, info["precision"]


def _write_files(work: Workload, images: int, folder: Path) -> list[str]:
    """Writes training images as files; returns their names, in order."""
    rows = work.first_images(images).select("image").collect()
    names = [f"{number:06d}.png" for number in range(images)]
    for name, row in zip(names, islice(cycle(rows), images), strict=True):
        (folder / name).write_bytes(bytes(row["image"]))
    return names
