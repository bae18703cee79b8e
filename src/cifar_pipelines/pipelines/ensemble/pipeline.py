"""The ensemble pipeline: members are found once, and every vote is judged like any other model."""

from collections.abc import Callable, Sequence
from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline, node

from cifar_pipelines.common.configuration import run_parameters
from cifar_pipelines.families import family_names
from cifar_pipelines.pipelines.ensemble import nodes
from cifar_pipelines.pipelines.ensemble.family import model_name, selected_votes
from cifar_pipelines.pipelines.further_predictions import OUTPUTS
from cifar_pipelines.pipelines.judging import family_pipeline, judging_nodes, model_pipeline

SHARED = {"members", "images", "images_info", "run_context"}
PLACES = ["run_records", "models_folder", "outputs_folder", "features_folder"]


def create_pipeline(votes: Sequence[str] | None = None, **_: object) -> Pipeline:
    """Builds the pipeline of votes; None takes those that the configuration selects."""
    names = list(votes) if votes is not None else selected_votes(run_parameters())
    announced = [f"{name}_run_records" for name in family_names() if name != "ensemble"]
    inputs = ["params:ensemble", "parameters", "images_info", "params:subset.seed", *PLACES, *announced]
    shared = [node(nodes.open_members, inputs, "members", name="open_members")]
    return family_pipeline("ensemble", [_model(name) for name in names], shared)


def _model(vote: str) -> Pipeline:
    return model_pipeline("ensemble", model_name(vote), _template(vote), SHARED, {})


def _template(vote: str) -> list[Node]:
    def of_vote(function: Callable) -> Callable:
        return update_wrapper(partial(function, vote), function)

    return [
        node(of_vote(nodes.choose_weights), "members", ["ensemble", "fit_report"],
             name="choose_weights", tags="spark"),
        node(nodes.let_vote, ["members", "ensemble"], ["predictions", "predict_report"], name="vote", tags="spark"),
        node(nodes.let_vote_further, ["members", "ensemble", "images", "images_info"], OUTPUTS,
             name="vote_further", tags="spark"),
        node(of_vote(nodes.compare_with_members), ["predictions", "members"], "against_members",
             name="compare_with_members"),
        node(nodes.describe_ensemble, ["members", "ensemble", "fit_report", "predict_report"], "model_report",
             name="describe"),
        *judging_nodes(),
    ]  # fmt: skip
