"""The pipeline of one trained network, whatever family it is of: configure, train, predict, describe, judge."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline, node

from cifar_pipelines.engines import model_name
from cifar_pipelines.pipelines import prediction
from cifar_pipelines.pipelines.diagram import draw_network
from cifar_pipelines.pipelines.further_predictions import OUTPUTS
from cifar_pipelines.pipelines.judging import judging_nodes, model_pipeline
from cifar_pipelines.pipelines.training import describe_network, forget_checkpoint

SHARED = {"images", "images_info", "run_context"}


@dataclass(frozen=True)
class NetworkSteps:
    """What a family of networks does in its own way, as functions of nodes.

    Attributes:
        family: Name of the family, whose block of parameters `configure` reads.
        spec: What its nodes call the checked block of one network.
        configure: Checks the block before Spark starts, and returns it; takes name and engine first.
        check_checkpoint: Returns what the training depends on, unless an unfinished one depends on something else.
        train: Returns network, history and what training cost.
        plot_history: Draws the learning curves.
        folders: What `train` reads beside images and checkpoints.
    """

    family: str
    spec: str
    configure: Callable
    check_checkpoint: Callable
    train: Callable
    plot_history: Callable
    folders: tuple[str, ...] = ()


def network_pipeline(steps: NetworkSteps, name: str, engine: str) -> Pipeline:
    """The pipeline of one network and engine, in a namespace within that of the family."""
    parameters = {
        f"params:{steps.family}": f"params:{steps.family}",
        "params:train_size": "params:subset.train_size",
        "params:seed": "params:subset.seed",
    }
    shared = SHARED | set(steps.folders)
    return model_pipeline(steps.family, model_name(name, engine), _nodes(steps, name, engine), shared, parameters)


def _nodes(steps: NetworkSteps, name: str, engine: str) -> list[Node]:
    spec, of_images = steps.spec, ["images", "images_info"]
    configure = update_wrapper(partial(steps.configure, name, engine), steps.configure)
    describe = update_wrapper(partial(describe_network, steps.family), describe_network)
    return [
        node(configure, [f"params:{steps.family}", "params:train_size", "run_context"], spec, name="configure"),
        node(steps.check_checkpoint, [spec, "checkpoints", "images_info", "params:seed", "run_context"],
             "training_configuration", name="check_checkpoint"),
        node(steps.train, [*of_images, spec, "training_configuration", "checkpoints", *steps.folders, "params:seed",
                           "run_context"],
             ["network", "history", "fit_report"], name="train", tags=["spark", engine]),
        node(prediction.predict_judged, ["network", *of_images, spec, "run_context"],
             ["predictions", "predict_report"], name="predict", tags="spark"),
        node(prediction.predict_further, ["network", *of_images, spec, "run_context"], OUTPUTS,
             name="predict_further", tags="spark"),
        node(draw_network, "network", "diagram_plot", name="draw_network"),
        node(steps.plot_history, ["history", spec, "images_info"], "learning_curves_plot", name="plot_history"),
        node(describe, [spec, "training_configuration", "fit_report", "predict_report"], "model_report",
             name="describe"),
        *judging_nodes(),
        node(forget_checkpoint, ["run_record", "checkpoints", "run_context"], "finished", name="forget_checkpoint"),
    ]  # fmt: skip
