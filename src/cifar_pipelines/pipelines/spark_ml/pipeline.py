"""The spark_ml pipeline: one namespaced copy of a train-predict-judge template per selected classifier."""

from collections.abc import Sequence
from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline, node

from cifar_pipelines.common.configuration import run_parameters
from cifar_pipelines.pipelines.further_predictions import OUTPUTS
from cifar_pipelines.pipelines.judging import family_pipeline, judging_nodes, model_pipeline
from cifar_pipelines.pipelines.spark_ml import nodes
from cifar_pipelines.pipelines.spark_ml.family import selected_classifiers

SHARED = {
    "train_table",
    "test_table",
    "further_table",
    "reading_s",
    "images",
    "images_info",
    "features_info",
    "run_context",
}


def create_pipeline(classifiers: Sequence[str] | None = None, **_: object) -> Pipeline:
    """Builds the pipeline of classifiers; None takes those that the configuration selects."""
    names = list(classifiers) if classifiers is not None else selected_classifiers(run_parameters())
    records = [f"{name}_run_record" for name in names]
    shared = [
        node(nodes.cache_tables, ["features", "features_info", "images_info", "params:features.options", "run_context"],
             ["train_table", "test_table", "reading_s"], name="cache_tables", tags="spark"),
        node(nodes.select_further, ["features", "images_info"], "further_table", name="select_further", tags="spark"),
        node(nodes.survey_classifiers, ["kept_classifier_survey", *records],
             "classifier_survey", name="survey_classifiers", tags="spark"),
    ]  # fmt: skip
    return family_pipeline("spark_ml", [_model(name) for name in names], shared)


def _model(name: str) -> Pipeline:
    parameters = {
        "params:classifier": f"params:spark_ml.classifiers.{name}",
        "params:repeats": "params:spark_ml.repeats",
        "params:seed": "params:subset.seed",
    }
    return model_pipeline("spark_ml", name, _template(name), SHARED, parameters)


def _template(name: str) -> list[Node]:
    configure = update_wrapper(partial(nodes.configure_classifier, name), nodes.configure_classifier)
    return [
        node(configure, ["params:classifier", "params:repeats"], "classifier", name="configure"),
        node(nodes.train, ["train_table", "classifier", "features_info", "images_info", "params:seed", "run_context"],
             ["spark_model", "fit_report"], name="train", tags="spark"),
        node(nodes.predict, ["spark_model", "test_table", "classifier"],
             ["predictions", "predict_report"], name="predict", tags="spark"),
        node(nodes.predict_further, ["spark_model", "further_table", "images", "images_info"], OUTPUTS,
             name="predict_further", tags="spark"),
        node(nodes.describe_model, ["classifier", "reading_s", "fit_report", "predict_report"],
             "model_report", name="describe"),
        *judging_nodes("features_info"),
    ]  # fmt: skip
