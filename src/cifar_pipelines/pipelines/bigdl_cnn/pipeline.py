"""The bigdl_cnn pipeline: one namespaced copy of a train-predict-judge template per network and engine."""

from collections.abc import Sequence
from functools import partial, update_wrapper

from kedro.pipeline import Pipeline, node, pipeline

from cifar_pipelines.common.configuration import run_parameters
from cifar_pipelines.pipelines.bigdl_cnn import nodes
from cifar_pipelines.pipelines.bigdl_cnn.family import model_name, selected_cnns
from cifar_pipelines.pipelines.judging import announce_records, judging_nodes

SHARED = {"images", "images_info", "run_context"}


def create_pipeline(cnns: Sequence[tuple[str, str]] | None = None, **_: object) -> Pipeline:
    """Builds the pipeline.

    Args:
        cnns: Pairs of network and engine; None takes those that the configuration selects.
    """
    pairs = list(cnns) if cnns is not None else selected_cnns(run_parameters())
    announce = node(
        announce_records,
        [f"{model_name(*pair)}_run_record" for pair in pairs],
        "bigdl_cnn_run_records",
        name="announce_bigdl_cnn_records",
    )
    return pipeline([*(_copy(network, engine) for network, engine in pairs), announce], tags="bigdl_cnn")


def _copy(network: str, engine: str) -> Pipeline:
    name = model_name(network, engine)
    return pipeline(
        _template(network, engine),
        namespace=name,
        inputs=SHARED,
        outputs={"run_record": f"{name}_run_record"},
        parameters={
            "params:bigdl_cnn": "params:bigdl_cnn",
            "params:train_size": "params:subset.train_size",
            "params:seed": "params:subset.seed",
        },
    )


def _template(network: str, engine: str) -> Pipeline:
    configure = update_wrapper(partial(nodes.configure_cnn, network, engine), nodes.configure_cnn)
    return pipeline(
        [
            node(
                configure, ["params:bigdl_cnn", "params:train_size", "run_context"], "cnn", name="configure"
            ),
            node(
                nodes.check_checkpoint,
                ["cnn", "checkpoints", "images_info", "params:seed", "run_context"],
                "training_configuration",
                name="check_checkpoint",
            ),
            node(
                nodes.train_cnn,
                [
                    *("images", "images_info", "cnn", "training_configuration", "checkpoints"),
                    *("params:seed", "run_context"),
                ],
                ["network", "history", "fit_report"],
                name="train",
                tags=["spark", engine],
            ),
            node(
                nodes.predict_cnn,
                ["network", "images", "images_info", "cnn", "run_context"],
                ["predictions", "predict_report"],
                name="predict",
                tags="spark",
            ),
            node(nodes.plot_history, ["history", "cnn"], "learning_curves_plot", name="plot_history"),
            node(
                nodes.describe_cnn,
                ["cnn", "fit_report", "predict_report"],
                "model_report",
                name="describe",
            ),
            *judging_nodes(),
        ]
    )
