"""From an image source to a stratified subset as a table of images."""

from cifar_pipelines.pipelines.ingestion.pipeline import create_pipeline

__all__ = ["create_pipeline"]
