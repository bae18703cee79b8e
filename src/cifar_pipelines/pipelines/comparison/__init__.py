"""Compares every trained model and every parallelism setting, from run records alone."""

from cifar_pipelines.pipelines.comparison.pipeline import create_pipeline

__all__ = ["create_pipeline"]
