"""The second half of every model's pipeline: predictions in, metrics, plots and run record out."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import pandas as pd
from kedro.pipeline import Node, Pipeline, node, pipeline

from cifar_pipelines.common.contents import TEXT, content_of, judged_on
from cifar_pipelines.common.lazy_types import DataFrame, Figure
from cifar_pipelines.judging import metrics
from cifar_pipelines.judging.predictions import predictions_csv
from cifar_pipelines.plots import of_confidence, of_model, of_texts
from cifar_pipelines.records.model_report import ModelReport
from cifar_pipelines.records.provenance import make_record
from cifar_pipelines.records.saved_predictions import validation_rows
from cifar_pipelines.spark.run_context import RunContext

VALIDATION = ("n", "accuracy", "f1_macro")  # what is said of images that nothing but choices depends on


def evaluate(
    predictions: pd.DataFrame, images_info: dict[str, Any], further_predictions: pd.DataFrame | None = None
) -> dict[str, Any]:
    """Judges a predictions table; see `judging.metrics.evaluate`.

    Where models are judged on test images and there are predictions of validation images beside them, `validation` has
    `VALIDATION` of these.
    """
    names = images_info["class_names"]
    scores = metrics.evaluate(predictions, names)
    validation = None if further_predictions is None else validation_rows(further_predictions)
    if validation is None or validation.empty:
        return scores
    of_validation = metrics.evaluate(validation, names)
    return scores | {"validation": {key: of_validation[key] for key in VALIDATION}}


def list_predictions(predictions: pd.DataFrame, images_info: dict[str, Any]) -> pd.DataFrame:
    """Lays predictions out for people: image name, label, probability, truth."""
    return predictions_csv(predictions, images_info["class_names"])


def draw_scores(
    predictions: pd.DataFrame, scores: dict[str, Any], images_info: dict[str, Any], model_report: ModelReport
) -> tuple[Figure, Figure, Figure]:
    """Draws the confusion matrix, the ROC curves, and right and wrong predictions by confidence."""
    names, model, judged = images_info["class_names"], model_report.model, judged_on(images_info)
    curves = f"{model}: ROC curves, one class against the rest"
    return (
        of_model.plot_confusion_matrix(scores, names, f"{model}: confusion matrix"),
        of_model.plot_roc_curves(predictions, names, curves, judged),
        of_confidence.plot_confidence(predictions, names, f"{model}: right and wrong by confidence", judged),
    )


def draw_galleries(
    predictions: pd.DataFrame, images: DataFrame, images_info: dict[str, Any], model_report: ModelReport
) -> tuple[Figure, Figure]:
    """Draws examples that the model got right and wrong."""
    from pyspark.sql import functions as F  # noqa: N812

    chosen = [one for right in (True, False) for one in of_model.choose_gallery_ids(predictions, right)]
    rows = images.where(F.col("image_id").isin(chosen)).select("image_id", "image").collect()
    files = {row["image_id"]: bytes(row["image"]) for row in rows}
    names, model = images_info["class_names"], model_report.model
    gallery = of_texts.plot_text_gallery if content_of(images_info) is TEXT else of_model.plot_gallery
    draw = partial(gallery, predictions, files, names, judged_on=judged_on(images_info))
    return (draw(True, f"{model}: right predictions"), draw(False, f"{model}: wrong predictions"))


def write_record(
    scores: dict[str, Any],
    model_report: ModelReport,
    images_info: dict[str, Any],
    parameters: dict[str, Any],
    run_context: RunContext,
    features_info: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Makes the content of a model's run record; `features_info` is None for a model that reads images."""
    return make_record(model_report, images_info, parameters, run_context, features_info, scores).to_json()


def judging_nodes(*features_info: str, further: Sequence[str] = ("further_predictions",)) -> list[Node]:
    """The nodes that judge a model, for its namespace.

    Args:
        *features_info: The dataset of a model that reads features.
        further: The dataset of its predictions of other images; nothing for a model without.
    """
    return [
        node(evaluate, ["predictions", "images_info", *further], "metrics", name="evaluate"),
        node(list_predictions, ["predictions", "images_info"], "predictions_csv", name="list_predictions"),
        node(draw_scores, ["predictions", "metrics", "images_info", "model_report"],
             ["confusion_matrix_plot", "roc_plot", "confidence_plot"], name="draw_scores"),
        node(draw_galleries, ["predictions", "images", "images_info", "model_report"],
             ["right_gallery", "wrong_gallery"], name="draw_galleries", tags="spark"),
        node(write_record, ["metrics", "model_report", "images_info", "parameters", "run_context", *features_info],
             "run_record", name="write_run_record", tags="spark"),
    ]  # fmt: skip


def model_pipeline(
    family: str, model: str, template: Iterable[Node], inputs: set[str], parameters: dict[str, str]
) -> Pipeline:
    """Makes a family's template the pipeline of one model, in a namespace within that of the family.

    Args:
        family: Name of the family.
        model: Name of the model.
        template: The nodes.
        inputs: Datasets that the models share.
        parameters: Parameters by the names that the template has for them.
    """
    return pipeline(
        template,
        namespace=f"{family}.{model}",
        inputs=inputs,
        outputs={"run_record": f"{model}_run_record"},
        parameters=parameters,
    )


def family_pipeline(family: str, models: Sequence[Pipeline], shared: Sequence[Node] = ()) -> Pipeline:
    """Puts the models of a family side by side, and announces what they leave when the last of them has left it.

    Args:
        family: Name of the family, which is also that of the pipeline.
        models: What `model_pipeline` made.
        shared: Nodes that serve all of them.
    """
    everything = pipeline([*models, pipeline(shared, namespace=family, prefix_datasets_with_namespace=False)])
    last = node(
        announce, sorted(everything.outputs()), f"{family}_run_records", name="announce_run_records", namespace=family
    )
    return pipeline([everything, last], tags=family)


def announce(*results: Any) -> dict[str, Any]:
    """Adds nothing to the run records: it makes a comparison in the same run wait for the last result that it shows."""
    return {}
