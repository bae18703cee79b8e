"""The leaks pipeline."""

from kedro.pipeline import Pipeline, node, pipeline

from cifar_pipelines.pipelines.judging import announce
from cifar_pipelines.pipelines.leaks import nodes
from cifar_pipelines.plots.of_leaks import plot_nearest


def create_pipeline(**_: object) -> Pipeline:
    """Builds the pipeline: find the nearest training images, count near twins, plot."""
    return pipeline(
        [
            node(nodes.find_nearest, ["features", "features_info", "images_info", "params:leaks", "params:validation"],
                 "nearest_images", name="find_nearest", tags="spark"),
            node(nodes.measure_leaks, ["nearest_images", "features_info", "images_info", "params:leaks",
                                       "params:validation"], "leaks", name="measure_leaks"),
            node(plot_nearest, ["nearest_images", "leaks"], "leaks_plot", name="plot_nearest"),
            node(announce, ["leaks", "leaks_plot"], "leaks_run_records", name="announce_run_records"),
        ],
        namespace="leaks",
        prefix_datasets_with_namespace=False,
        tags="leaks",
    )  # fmt: skip
