"""Nodes of the spark_ml pipeline."""

import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from cifar_pipelines.classifiers import Task, check_hyperparameters, create_estimator
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.lazy_types import DataFrame, Model
from cifar_pipelines.common.options import whole
from cifar_pipelines.common.params import command_to_run
from cifar_pipelines.common.tables import judged_split
from cifar_pipelines.common.words import counted
from cifar_pipelines.datasets.spark_model import SavedModel
from cifar_pipelines.extractors import options_of
from cifar_pipelines.pipelines.further_predictions import further_splits, further_tables, no_further, rows_of_splits
from cifar_pipelines.pipelines.spark_ml.complexity import parameter_count
from cifar_pipelines.pipelines.spark_ml.scoring import score, with_probabilities
from cifar_pipelines.records.model_report import FitReport, ModelReport, PredictionReport
from cifar_pipelines.records.parts import Timings
from cifar_pipelines.spark.run_context import RunContext

logger = logging.getLogger(__name__)

IDS = ("image_id", "cast(label as int) as label")  # of a predictions table
NATIVE = "native"
FROM_MARGINS = "softmax of one-vs-rest margins (not calibrated)"


@dataclass(frozen=True)
class ConfiguredClassifier:
    """A classifier as the configuration wants it: checked hyperparameters, and how often it is fitted."""

    name: str
    justification: str
    params: dict[str, Any]
    repeats: int


def configure_classifier(name: str, block: dict[str, Any], repeats: int) -> ConfiguredClassifier:
    """Checks a block of `spark_ml.classifiers` before any Spark process starts.

    Raises:
        UserError: If a key is unknown or missing, or a hyperparameter is.
    """
    what = f"spark_ml.classifiers.{name}"
    if not isinstance(block, dict) or set(block) != {"justification", "params"}:
        raise UserError(f"{what} is {block!r}, but must hold exactly `justification` and `params`.")
    justification = block["justification"]
    if not isinstance(justification, str) or not justification.strip():
        raise UserError(f"{what}.justification is empty, but every selected classifier needs its reason.")
    whole("spark_ml.repeats", repeats, 1, 1000)
    params = check_hyperparameters(name, block["params"] or {})
    return ConfiguredClassifier(name, " ".join(justification.split()), params, repeats)


def cache_tables(
    features: DataFrame,
    features_info: dict[str, Any],
    images_info: dict[str, Any],
    options: dict[str, dict[str, Any]],
    run_context: RunContext,
) -> tuple[DataFrame, DataFrame, float]:
    """Reads the feature table, spreads it evenly over the cores and caches it.

    Returns:
        Training and test table (`image_id`, `label` double, `features` vector), and the seconds it took. The test table holds
        the validation images where no test image has a label.

    Raises:
        UserError: If the features belong to other images, or were extracted with other options.
    """
    from pyspark.sql import functions as F  # noqa: N812

    from cifar_pipelines.spark.session import active_session
    from cifar_pipelines.spark.timing import measured_work

    _require_same_features(features_info, images_info, options)
    tables = []
    with measured_work(active_session(), "Reading features") as reading:
        for split in ("train", judged_split(images_info)):
            # PARALLEL(executors): one cached partition per core, so that every core works on each pass.
            table = (
                _as_vectors(features.where(F.col("split") == split)).repartition(run_context.cluster.cores).persist()
            )
            expected = images_info[f"{split}_size"]
            if (rows := table.count()) != expected:
                raise UserError(
                    f"The feature table holds {counted(rows, 'image')} of the {split} split, but there are {expected}: an "
                    f"earlier extraction was cut short. Run it again: {command_to_run('features')}"
                )
            tables.append(table)
    return tables[0], tables[1], reading.wall_s


def select_further(features: DataFrame, images_info: dict[str, Any]) -> DataFrame:
    """The images that are neither learned from nor judged on, as those of `cache_tables`; see `further_predictions`."""
    return _as_vectors(rows_of_splits(features, further_splits(images_info)))


def _as_vectors(features: DataFrame) -> DataFrame:
    from pyspark.ml.functions import array_to_vector
    from pyspark.sql import functions as F  # noqa: N812

    vectors = F.col("features") if dict(features.dtypes)["features"] == "vector" else array_to_vector("features")
    return features.select("image_id", F.col("label").cast("double"), vectors.alias("features"))


def _require_same_features(
    features_info: dict[str, Any], images_info: dict[str, Any], options: dict[str, dict[str, Any]]
) -> None:
    """Refuses features of other images, or with other options."""
    if features_info["images_fingerprint"] != images_info["fingerprint"]:
        raise UserError(
            f"The features were extracted from images with the fingerprint {features_info['images_fingerprint']}, "
            f"but the image table now has {images_info['fingerprint']}. Extract them again: {command_to_run('features')}"
        )
    wanted = options_of(features_info["extractor"], options)
    if features_info["options"] != wanted:
        raise UserError(
            f"The features were extracted with {features_info['options']}, but features.options now asks for "
            f"{wanted}. Extract them again: {command_to_run('features')}"
        )


def train(
    train_table: DataFrame,
    classifier: ConfiguredClassifier,
    features_info: dict[str, Any],
    images_info: dict[str, Any],
    seed: int,
    run_context: RunContext,
) -> tuple[Model, FitReport]:
    """Fits the classifier on the cached table, `repeats` times, each fit timed alone.

    Returns:
        The model of the last fit, and what the fits cost.
    """
    from cifar_pipelines.spark.session import active_session
    from cifar_pipelines.spark.timing import timed

    task = Task(
        features=features_info["dimension"],
        classes=len(images_info["class_names"]),
        seed=seed,
        cores=run_context.cluster.cores,
    )
    estimator = create_estimator(classifier.name, task, classifier.params)
    with timed(active_session(), f"Training {classifier.name}") as timing:
        for _ in range(classifier.repeats):
            with timing.repeat():
                model = estimator.fit(train_table)
    logger.info("%s: fit in %s s.", classifier.name, ", ".join(f"{value:.1f}" for value in timing.seconds))
    return model, FitReport.of(timing, Timings(fit_s=timing.seconds))


def predict(
    model: SavedModel, test_table: DataFrame, classifier: ConfiguredClassifier
) -> tuple[pd.DataFrame, PredictionReport]:
    """Predicts the images that models are judged on with the model as it was loaded back.

    Returns:
        The predictions table (`image_id`, `label`, `prediction`, `probability`), sorted by `image_id`, and
        what prediction cost.
    """
    from cifar_pipelines.spark.session import active_session
    from cifar_pipelines.spark.timing import measured_work

    # PARALLEL(executors): every task predicts its partition of the test table.
    scored, native = score(model.model, test_table, *IDS)
    seconds = []
    for _ in range(classifier.repeats):
        with measured_work(active_session(), "Predicting", show_progress=False) as work:
            predictions = scored.toPandas()
        seconds.append(round(work.wall_s, 3))
    predictions = predictions.sort_values("image_id", ignore_index=True)
    return with_probabilities(predictions, native), PredictionReport(
        predict_s=tuple(seconds),
        probability_source=NATIVE if native else FROM_MARGINS,
        model_size_bytes=model.size_bytes,
        parameter_count=parameter_count(model.model),
        model_path=os.path.relpath(model.path),
    )


def predict_further(
    model: SavedModel, further_table: DataFrame, images: DataFrame, images_info: dict[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predicts all other images that were not learned from; see `further_tables`."""
    if not further_splits(images_info):
        return no_further()
    # PARALLEL(executors): every task predicts its partition of the validation images and of those without labels.
    scored, native = score(model.model, further_table, *IDS)
    return further_tables(with_probabilities(scored.toPandas(), native), images, images_info)


def describe_model(
    classifier: ConfiguredClassifier, reading_s: float, fit_report: FitReport, predict_report: PredictionReport
) -> ModelReport:
    """Gathers what the run record says of this model."""
    import pyspark

    return ModelReport(
        model=classifier.name,
        family="spark_ml",
        engine=f"Spark ML {pyspark.__version__}",
        params=classifier.params,
        fit=replace(fit_report, timings=replace(fit_report.timings, read_s=round(reading_s, 3))),
        prediction=predict_report,
        justification=classifier.justification,
    )


def survey_classifiers(kept_survey: Path, *run_records: dict[str, Any]) -> dict[str, Any]:
    """Lists what the installed Spark ML offers, once per version; see `cifar_pipelines.spark.survey`.

    Args:
        kept_survey: The file of the survey that was made last; it need not be there.
        run_records: Those of the run. They are not read: the survey comes after them, because its tiny fits warm up
            the JVM for the fits that are measured.

    Returns:
        The survey.
    """
    from cifar_pipelines.spark import survey
    from cifar_pipelines.spark.session import active_session

    return survey.kept_survey(kept_survey) or survey.make_survey(active_session())
