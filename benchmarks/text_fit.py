"""TF-IDF and logistic regression on Spark against scikit-learn's, from texts to a fitted model."""

import argparse
import time
from dataclasses import replace
from typing import Any

from benchmarks.logistic_regression_fit import fit_sklearn
from benchmarks.result import Bar, Result
from benchmarks.workload import Step, Workload, open_workload
from cifar_pipelines.common.contents import TEXT
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.texts import decode
from cifar_pipelines.pipelines.spark_ml.nodes import cache_tables, configure_classifier, train
from cifar_pipelines.sources import open_source

NAME = "text_fit"
STUDY = "imdb"  # whose recipe both sides follow
BAR = Bar(2.0, at_least=False)
Texts = tuple[list[str], list[int]]


def measure(arguments: argparse.Namespace, step: Step) -> list[Result]:
    """Counts, weighs and fits on both sides in turn, with as many cores, numbers a vector and iterations, and the same penalty.

    Spark hashes terms, so that its vectors need no vocabulary; scikit-learn keeps the most frequent terms, as many as Spark has
    numbers. Spark reads its texts from their table; scikit-learn has them in memory.

    Raises:
        UserError: If the source gives no texts.
    """
    if open_source(arguments.source, arguments.source_path).content != TEXT:
        raise UserError(
            f"{NAME} reads texts, but the source {arguments.source} gives none. Add --source imdb --source-path <folder>."
        )
    given = argparse.Namespace(**vars(arguments) | {"extractor": "tfidf", "weights_path": None, "centroids": None})
    ours, reference, correct = [], [], {}
    with open_workload(given, arguments.train_images, arguments.test_images, step, STUDY) as work:
        texts = {split: _texts(work, split) for split in ("train", "test")}
        for repeat in range(arguments.repeats):
            step(f"Texts, round {repeat + 1} of {arguments.repeats}: Spark ML.")
            seconds, correct["Spark ML"] = _spark(work)
            ours.append(seconds)
            step(f"Texts, round {repeat + 1} of {arguments.repeats}: scikit-learn.")
            seconds, correct["scikit-learn"] = _sklearn(work, texts["train"], texts["test"])
            reference.append(seconds)
    count = len(texts["test"][1])
    accuracies = ", ".join(f"{side} {right / count:.1%}" for side, right in correct.items())
    notes = [f"{len(texts['train'][1]):,} training texts; accuracy on {count:,} test texts: {accuracies}."]
    return [Result(NAME, "s", ours, reference, BAR, notes)]


def _classifier(work: Workload) -> Any:
    block = work.parameters["spark_ml"]["classifiers"]["logistic_regression"]
    return configure_classifier("logistic_regression", block, repeats=1)


def _spark(work: Workload) -> tuple[float, int]:
    """Seconds until the model is fitted, and how many test texts it is right on."""
    seed, info = work.parameters["subset"]["seed"], work.images_info | {"test_size": 0, "validation_size": 0}
    texts = {split: work.images.where(f"split = '{split}'") for split in ("train", "test")}
    started = time.perf_counter()
    state = work.extractor.learn(texts["train"])
    features, described, _ = replace(work, state=state).extract(texts["train"])
    learned, nothing, _ = cache_tables(features, described, info, work.spec.options, work.context)
    model, _ = train(learned, _classifier(work), described, info, seed, work.context)
    seconds = time.perf_counter() - started
    correct = model.transform(work.extractor.transform(texts["test"], state)).where("prediction = label").count()
    for table in (features, learned, nothing):
        table.unpersist()
    return seconds, correct


def _sklearn(work: Workload, learned: Texts, judged: Texts) -> tuple[float, int]:
    """The same by scikit-learn."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from threadpoolctl import threadpool_limits

    extractor, params = work.extractor, _classifier(work).params
    vectors = TfidfVectorizer(
        ngram_range=(1, extractor.ngrams),
        binary=extractor.binary,
        min_df=extractor.least_texts,
        max_features=extractor.dimensions,
        token_pattern=r"\w+",  # noqa: S106 (of words)
    )
    with threadpool_limits(work.cores):
        model, seconds = fit_sklearn(vectors, *learned, params)
    return seconds, int((model.predict(judged[0]) == judged[1]).sum())


def _texts(work: Workload, split: str) -> Texts:
    rows = work.images.where(f"split = '{split}'").select("image", "label").collect()
    return [decode(bytes(row["image"])) for row in rows], [row["label"] for row in rows]
