"""Logistic regression: of two classes with one vector of weights, of more with one a class."""

from typing import Annotated

from pyspark.ml.classification import LogisticRegression

from cifar_pipelines.classifiers import Task, register
from cifar_pipelines.common.options import Range


@register
def logistic_regression(
    task: Task,
    *,
    max_iter: Annotated[int, Range(0, 1_000_000)] = 50,
    reg_param: Annotated[float, Range(0)] = 0.01,
    elastic_net: Annotated[float, Range(0, 1)] = 0.0,
    standardize: bool = True,
) -> LogisticRegression:
    """Logistic or softmax regression by L-BFGS.

    Args:
        task: What has to be learned.
        max_iter: Passes over the data, each one a job on all cores.
        reg_param: Strength of the penalty, 1 / (C n) of scikit-learn's C and n training rows.
        elastic_net: 0 for an L2 penalty, 1 for L1.
        standardize: Whether Spark gives all features unit variance first; of tf-idf that would make rare words loud.
    """
    # PARALLEL(executors): every task adds up loss and gradient of its partition; a tree of sums meets on the driver.
    return LogisticRegression(
        family="auto",  # two vectors for two classes would double a pass, and halve the penalty
        maxIter=max_iter,
        regParam=reg_param,
        elasticNetParam=elastic_net,
        standardization=standardize,
    )
