"""The features pipeline."""

from kedro.pipeline import Pipeline, node, pipeline

from cifar_pipelines.pipelines.features import nodes
from cifar_pipelines.pipelines.features.specification import create_checked_extractor
from cifar_pipelines.pipelines.judging import announce


def create_pipeline(**_: object) -> Pipeline:
    """Builds the pipeline: check the extractor, prepare it, extract on the executors."""
    return pipeline(
        [
            node(create_checked_extractor, "params:features", "extractor", name="check_extractor"),
            node(nodes.prepare_extractor, ["extractor", "images", "images_info", "params:subset.seed"],
                 "extractor_state", name="prepare_extractor", tags="spark"),
            node(nodes.extract_features, ["images", "images_info", "extractor", "extractor_state", "params:features",
                                          "parameters", "run_context"],
                 ["features", "features_info", "feature_extraction_run_record"], name="extract_features", tags="spark"),
            node(announce, "feature_extraction_run_record", "features_run_records", name="announce_run_records"),
        ],
        namespace="features",
        prefix_datasets_with_namespace=False,
        tags="features",
    )  # fmt: skip
