"""Gaussian naive Bayes."""

from typing import Annotated

from pyspark.ml.classification import NaiveBayes

from cifar_pipelines.classifiers import Task, register
from cifar_pipelines.common.options import Range


@register
def gaussian_naive_bayes(task: Task, *, smoothing: Annotated[float, Range(0)] = 1.0) -> NaiveBayes:
    """A Gaussian per class and feature: one pass over the data, the fastest baseline.

    Args:
        task: What has to be learned.
        smoothing: Additive smoothing.
    """
    # PARALLEL(executors): every task adds up the moments of its partition, by class.
    return NaiveBayes(modelType="gaussian", smoothing=smoothing)
