"""Spark ML classifiers on the feature table: train, predict, judge."""

from cifar_pipelines.pipelines.spark_ml.pipeline import create_pipeline

__all__ = ["create_pipeline"]
