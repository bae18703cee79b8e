"""The deployment pipeline: variants of one network that was trained before, made, measured, judged."""

import re

from kedro.pipeline import Pipeline, node, pipeline

from cifar_pipelines.common.configuration import run_parameters
from cifar_pipelines.pipelines.deployment import nodes
from cifar_pipelines.pipelines.deployment.specification import configure

SHARED = {"trained_networks", "image_table", "images_info", "run_context"}


def create_pipeline(model: str | None = None, **_: object) -> Pipeline:
    """Builds the pipeline of one model; None takes the one that the configuration names."""
    name = model if model is not None else str(run_parameters()["deployment"]["model"])
    template = [
        node(configure, ["params:deployment", "trained_networks", "image_table", "images_info"], "plan", name="configure"),
        node(nodes.make_variants, ["plan", "variants_folder", "params:seed", "run_context"], ["made", "not_made"],
             name="make_variants"),
        node(nodes.measure, ["plan", "made", "images_info"], ["measured", "predictions"], name="measure"),
        node(nodes.describe, ["plan", "made", "not_made", "measured", "predictions", "images_info", "params:seed",
                              "run_context"],
             ["record", "table"], name="describe"),
        node(nodes.draw, "record", "plot", name="draw"),
        node(nodes.announce, ["record", "plot", "table"], "run_records", name="announce_run_records"),
    ]  # fmt: skip
    return pipeline(
        template,
        # Whatever is typed as a model can be looked for, and is refused in words.
        namespace=f"deployment.{re.sub(r'[^A-Za-z0-9_-]', '_', name)}",
        inputs=SHARED,
        outputs={"run_records": "deployment_run_records"},
        parameters={"params:deployment": "params:deployment", "params:seed": "params:subset.seed"},
        tags="deployment",
    )
