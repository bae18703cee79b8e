"""CNNs trained from scratch on the executors, by BigDL Orca and by Spark's TorchDistributor."""

from cifar_pipelines.pipelines.bigdl_cnn.pipeline import create_pipeline

__all__ = ["create_pipeline"]
