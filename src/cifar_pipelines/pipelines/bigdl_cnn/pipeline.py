"""The bigdl_cnn pipeline: one namespaced copy of a train-predict-judge template per network and engine."""

from collections.abc import Sequence

from kedro.pipeline import Pipeline

from cifar_pipelines.common.configuration import run_parameters
from cifar_pipelines.pipelines.bigdl_cnn import nodes
from cifar_pipelines.pipelines.bigdl_cnn.family import selected_cnns
from cifar_pipelines.pipelines.judging import family_pipeline
from cifar_pipelines.pipelines.network_template import NetworkSteps, network_pipeline

STEPS = NetworkSteps(
    "bigdl_cnn", "cnn", nodes.configure_cnn, nodes.check_checkpoint, nodes.train_cnn, nodes.plot_history
)


def create_pipeline(cnns: Sequence[tuple[str, str]] | None = None, **_: object) -> Pipeline:
    """Builds the pipeline of pairs of network and engine; None takes those that the configuration selects."""
    pairs = list(cnns) if cnns is not None else selected_cnns(run_parameters())
    return family_pipeline("bigdl_cnn", [network_pipeline(STEPS, *pair) for pair in pairs])
