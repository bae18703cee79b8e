"""The transfer pipeline: one namespaced copy of a train-predict-judge template per network and engine."""

from collections.abc import Sequence
from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline, node

from cifar_pipelines.common.configuration import run_parameters
from cifar_pipelines.pipelines import prediction
from cifar_pipelines.pipelines.diagram import draw_network
from cifar_pipelines.pipelines.further_predictions import OUTPUTS
from cifar_pipelines.pipelines.judging import family_pipeline, judging_nodes, model_pipeline
from cifar_pipelines.pipelines.transfer import nodes
from cifar_pipelines.pipelines.transfer.family import model_name, selected_transfers

SHARED = {"images", "images_info", "run_context", "stored_features"}


def create_pipeline(transfers: Sequence[tuple[str, str]] | None = None, **_: object) -> Pipeline:
    """Builds the pipeline of pairs of model and engine; None takes those that the configuration selects."""
    pairs = list(transfers) if transfers is not None else selected_transfers(run_parameters())
    return family_pipeline("transfer", [_model(name, engine) for name, engine in pairs])


def _model(name: str, engine: str) -> Pipeline:
    parameters = {
        "params:transfer": "params:transfer",
        "params:train_size": "params:subset.train_size",
        "params:seed": "params:subset.seed",
    }
    return model_pipeline("transfer", model_name(name, engine), _template(name, engine), SHARED, parameters)


def _template(name: str, engine: str) -> list[Node]:
    configure = update_wrapper(partial(nodes.configure_transfer, name, engine), nodes.configure_transfer)
    return [
        node(configure, ["params:transfer", "params:train_size", "run_context"], "transfer", name="configure"),
        node(nodes.check_checkpoint, ["transfer", "checkpoints", "images_info", "params:seed", "run_context"],
             "training_configuration", name="check_checkpoint"),
        node(nodes.train_transfer, ["images", "images_info", "transfer", "training_configuration", "checkpoints",
                                    "stored_features", "params:seed", "run_context"],
             ["network", "history", "fit_report"], name="train", tags=["spark", engine]),
        node(prediction.predict_judged, ["network", "images", "images_info", "transfer", "run_context"],
             ["predictions", "predict_report"], name="predict", tags="spark"),
        node(prediction.predict_further, ["network", "images", "images_info", "transfer", "run_context"], OUTPUTS,
             name="predict_further", tags="spark"),
        node(draw_network, "network", "diagram_plot", name="draw_network"),
        node(nodes.plot_history, ["history", "transfer", "images_info"], "learning_curves_plot", name="plot_history"),
        node(nodes.describe_transfer, ["transfer", "training_configuration", "fit_report", "predict_report"],
             "model_report", name="describe"),
        *judging_nodes(),
    ]  # fmt: skip
