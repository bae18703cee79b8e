"""Datasets of the catalog."""

from cifar_pipelines.datasets.image_source import ImageSourceDataset
from cifar_pipelines.datasets.run_records import RunRecordsDataset
from cifar_pipelines.datasets.spark_model import SparkModelDataset
from cifar_pipelines.datasets.spark_table import SparkTableDataset

__all__ = ["ImageSourceDataset", "RunRecordsDataset", "SparkModelDataset", "SparkTableDataset"]
