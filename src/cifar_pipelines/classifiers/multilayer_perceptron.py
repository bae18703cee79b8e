"""Multilayer perceptron."""

from typing import Annotated

from pyspark.ml import Pipeline
from pyspark.ml.classification import MultilayerPerceptronClassifier
from pyspark.ml.feature import StandardScaler

from cifar_pipelines.classifiers import Task, register
from cifar_pipelines.common.options import Range


@register
def multilayer_perceptron(
    task: Task,
    *,
    hidden: Annotated[int, Range(1, 100_000)] = 128,
    max_iter: Annotated[int, Range(0, 1_000_000)] = 60,
    block_size: Annotated[int, Range(1, 1_000_000)] = 128,
) -> Pipeline:
    """One hidden layer of sigmoids and a softmax, trained by L-BFGS on standardised features.

    Args:
        task: What has to be learned.
        hidden: Units of the hidden layer.
        max_iter: Passes over the data; there is no penalty, so stopping early is the regulariser.
        block_size: Rows that are stacked into one matrix product.
    """
    scaler = StandardScaler(withMean=True, inputCol="features", outputCol="standardised")
    # PARALLEL(executors): every task adds up the gradient of its partition, block by block.
    perceptron = MultilayerPerceptronClassifier(
        featuresCol="standardised",
        layers=[task.features, hidden, task.classes],
        maxIter=max_iter,
        blockSize=block_size,
        seed=task.seed,
    )
    return Pipeline(stages=[scaler, perceptron])
