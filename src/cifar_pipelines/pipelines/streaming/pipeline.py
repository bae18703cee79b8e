"""The streaming pipeline: one stream for all selected models, then one namespaced copy of a predict-judge template each."""

from collections.abc import Sequence
from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline, node

from cifar_pipelines.common.configuration import run_parameters
from cifar_pipelines.pipelines.judging import family_pipeline, judging_nodes, model_pipeline
from cifar_pipelines.pipelines.streaming import learn_node, nodes
from cifar_pipelines.pipelines.streaming.family import selected_learners

SHARED = {
    "features", "images", "images_info", "features_info", "run_context", "stream", "learned", "learning_rows", "learning_reports",
}  # fmt: skip


def create_pipeline(models: Sequence[str] | None = None, **_: object) -> Pipeline:
    """Builds the pipeline of models; None takes those that the configuration selects."""
    names = list(models) if models is not None else selected_learners(run_parameters())
    shared = [
        node(nodes.configure_stream, "params:streaming", "stream", name="configure_stream"),
        node(nodes.plan_course, ["images", "features", "features_info", "images_info", "stream", "params:subset.seed"],
             "course", name="plan_course", tags="spark"),
        node(learn_node.learn, ["course", "stream", "features_info", "extractor_state", "params:features", "stream_commits",
                                "stored_stream_features", "run_context"],
             ["learned", "learning_rows", "learning_reports", "stream_log"], name="learn", tags="spark"),
        node(learn_node.forget_commits, ["stream_commits", *(f"{name}_run_record" for name in names)], "stream_finished",
             name="forget_commits"),
        node(nodes.draw_course, ["learning_rows", "stream_log"], ["stream_models_plot", "stream_pace_plot"], name="draw_course"),
    ]  # fmt: skip
    models_of = [model_pipeline("streaming", name, _template(name), SHARED, {}) for name in names]
    return family_pipeline("streaming", models_of, shared)


def _template(model: str) -> list[Node]:
    keep = update_wrapper(partial(nodes.keep, model), nodes.keep)
    find = update_wrapper(partial(nodes.find, model), nodes.find)
    describe = update_wrapper(partial(nodes.describe, model), nodes.describe)
    return [
        node(keep, ["learned", "learning_rows", "learning_reports"], ["learner", "history", "fit_report"], name="keep"),
        node(find, ["learning_rows", "stream"], "stream_findings", name="find"),
        node(nodes.predict, ["learner", "features", "images_info", "run_context"],
             ["predictions", "predict_report"], name="predict", tags="spark"),
        node(describe, ["stream", "fit_report", "predict_report"], "model_report", name="describe"),
        node(nodes.draw_stream, ["history", "model_report"], "stream_plot", name="draw_stream"),
        *judging_nodes("features_info", further=()),
    ]  # fmt: skip
