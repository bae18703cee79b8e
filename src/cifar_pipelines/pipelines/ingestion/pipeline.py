"""The ingestion pipeline."""

from kedro.pipeline import Pipeline, node, pipeline

from cifar_pipelines.pipelines.ingestion import nodes


def create_pipeline(**_: object) -> Pipeline:
    """Builds the pipeline: index, select, plot, write the image table."""
    return pipeline(
        [
            node(nodes.index_source, "image_source", "image_index", name="index_source"),
            node(nodes.select_images, ["image_index", "params:subset", "params:validation"],
                 "image_manifest", name="select_images"),
            node(nodes.count_classes, "image_index", "source_classes", name="count_source_classes"),
            node(nodes.count_classes, "image_manifest", "subset_classes", name="count_subset_classes"),
            node(nodes.plot_source_classes, ["source_classes", "image_source"],
                 "source_classes_plot", name="plot_source_classes"),
            node(nodes.plot_subset_classes, ["subset_classes", "image_source"],
                 "subset_classes_plot", name="plot_subset_classes"),
            node(nodes.plot_samples, ["image_source", "image_manifest"], "samples_plot", name="plot_samples"),
            node(nodes.write_images, ["image_source", "image_manifest", "params:ingestion", "run_context",
                                     "image_parts", "params:validation"],
                 ["images", "images_info"], name="write_images", tags="spark"),
        ],
        namespace="ingestion",
        prefix_datasets_with_namespace=False,
        tags="ingestion",
    )  # fmt: skip
