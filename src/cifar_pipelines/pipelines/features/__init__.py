"""From the image table to the feature table, on the executors."""

from cifar_pipelines.pipelines.features.pipeline import create_pipeline

__all__ = ["create_pipeline"]
