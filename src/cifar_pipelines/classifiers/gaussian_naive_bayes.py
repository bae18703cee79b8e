"""Gaussian naive Bayes."""

from pyspark.ml.classification import NaiveBayes

from cifar_pipelines.classifiers import Task, register


@register
def gaussian_naive_bayes(task: Task, *, smoothing: float = 1.0) -> NaiveBayes:
    """A Gaussian per class and feature: one pass over the data, the fastest baseline.

    Args:
        task: What has to be learned.
        smoothing: Additive smoothing.
    """
    # PARALLEL(executors): every task adds up the moments of its partition, by class.
    return NaiveBayes(modelType="gaussian", smoothing=smoothing)
