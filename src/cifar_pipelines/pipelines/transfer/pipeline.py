"""The transfer pipeline: one namespaced copy of a train-predict-judge template per network and engine."""

from collections.abc import Sequence

from kedro.pipeline import Pipeline

from cifar_pipelines.common.configuration import run_parameters
from cifar_pipelines.pipelines.judging import family_pipeline
from cifar_pipelines.pipelines.network_template import NetworkSteps, network_pipeline
from cifar_pipelines.pipelines.transfer import nodes
from cifar_pipelines.pipelines.transfer.family import selected_transfers

STEPS = NetworkSteps(
    "transfer",
    "transfer",
    nodes.configure_transfer,
    nodes.check_checkpoint,
    nodes.train_transfer,
    nodes.plot_history,
    folders=("stored_features",),
)


def create_pipeline(transfers: Sequence[tuple[str, str]] | None = None, **_: object) -> Pipeline:
    """Builds the pipeline of pairs of model and engine; None takes those that the configuration selects."""
    pairs = list(transfers) if transfers is not None else selected_transfers(run_parameters())
    return family_pipeline("transfer", [network_pipeline(STEPS, *pair) for pair in pairs])
