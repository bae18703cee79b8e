"""The bigdl_cnn pipeline: one namespaced copy of a train-predict-judge template per network and engine."""

from collections.abc import Sequence
from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline, node

from cifar_pipelines.common.configuration import run_parameters
from cifar_pipelines.pipelines import prediction
from cifar_pipelines.pipelines.bigdl_cnn import nodes
from cifar_pipelines.pipelines.bigdl_cnn.family import model_name, selected_cnns
from cifar_pipelines.pipelines.diagram import draw_network
from cifar_pipelines.pipelines.further_predictions import OUTPUTS
from cifar_pipelines.pipelines.judging import family_pipeline, judging_nodes, model_pipeline

SHARED = {"images", "images_info", "run_context"}


def create_pipeline(cnns: Sequence[tuple[str, str]] | None = None, **_: object) -> Pipeline:
    """Builds the pipeline of pairs of network and engine; None takes those that the configuration selects."""
    pairs = list(cnns) if cnns is not None else selected_cnns(run_parameters())
    return family_pipeline("bigdl_cnn", [_model(network, engine) for network, engine in pairs])


def _model(network: str, engine: str) -> Pipeline:
    parameters = {
        "params:bigdl_cnn": "params:bigdl_cnn",
        "params:train_size": "params:subset.train_size",
        "params:seed": "params:subset.seed",
    }
    template = _template(network, engine)
    return model_pipeline("bigdl_cnn", model_name(network, engine), template, SHARED, parameters)


def _template(network: str, engine: str) -> list[Node]:
    configure = update_wrapper(partial(nodes.configure_cnn, network, engine), nodes.configure_cnn)
    return [
        node(configure, ["params:bigdl_cnn", "params:train_size", "run_context"], "cnn", name="configure"),
        node(nodes.check_checkpoint, ["cnn", "checkpoints", "images_info", "params:seed", "run_context"],
             "training_configuration", name="check_checkpoint"),
        node(nodes.train_cnn, ["images", "images_info", "cnn", "training_configuration", "checkpoints", "params:seed",
                               "run_context"],
             ["network", "history", "fit_report"], name="train", tags=["spark", engine]),
        node(prediction.predict_judged, ["network", "images", "images_info", "cnn", "run_context"],
             ["predictions", "predict_report"], name="predict", tags="spark"),
        node(prediction.predict_further, ["network", "images", "images_info", "cnn", "run_context"], OUTPUTS,
             name="predict_further", tags="spark"),
        node(draw_network, "network", "diagram_plot", name="draw_network"),
        node(nodes.plot_history, ["history", "cnn", "images_info"], "learning_curves_plot", name="plot_history"),
        node(nodes.describe_cnn, ["cnn", "fit_report", "predict_report"], "model_report", name="describe"),
        *judging_nodes(),
    ]  # fmt: skip
