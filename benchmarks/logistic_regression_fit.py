"""Spark ML's logistic regression against scikit-learn's on the same standardised feature matrix."""

import time
import warnings
from statistics import median
from typing import Any

from benchmarks.result import Result
from benchmarks.workload import Step, Workload
from cifar_pipelines.common.lazy_types import DataFrame
from cifar_pipelines.pipelines.spark_ml.nodes import cache_tables, configure_classifier, train
from cifar_pipelines.records.parts import Resources

NAME = "logistic_regression_fit"


def measure(work: Workload, repeats: int, step: Step) -> Result:
    """Fits both, in turn, with the configured penalty and number of iterations.

    Spark minimises the mean loss plus `reg_param` / 2 times the squared weights, on standardised features;
    scikit-learn minimises the summed loss times C plus half the squared weights. With C = 1 / (rows *
    reg_param) both have the same optimum. Both standardise within the measured time, compute in double
    precision, and may use as many cores.

    Args:
        work: The workload, with the training and test images that are to be used.
        repeats: Rounds; in each one both sides fit once.
        step: Called with a sentence at every step.
    """
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    step(f"Extracting the features of {work.images_info['train_size']} training images.")
    features, features_info, _ = work.extract(work.images)
    train_table, test_table, _ = cache_tables(
        features, features_info, work.images_info, work.spec.options, work.context
    )
    block = work.parameters["spark_ml"]["classifiers"]["logistic_regression"]
    classifier = configure_classifier("logistic_regression", block, repeats=1)
    params = {"max_iter": 50, "reg_param": 0.01} | classifier.params
    (x, y), (x_test, y_test) = _matrix(features, "train"), _matrix(features, "test")
    features.unpersist()

    seed = work.parameters["subset"]["seed"]
    spark_s, sklearn_s = [], []
    for repeat in range(repeats):
        step(f"Logistic regression, round {repeat + 1} of {repeats}: Spark ML.")
        model, report = train(train_table, classifier, features_info, work.images_info, seed, work.context)
        spark_s += report.timings.fit_s
        step(f"Logistic regression, round {repeat + 1} of {repeats}: scikit-learn.")
        with threadpool_limits(work.cores):
            fitted, seconds = fit_sklearn(StandardScaler(), x, y, params)
        sklearn_s.append(seconds)
    correct = model.transform(test_table).where("prediction = label").count()
    notes = [
        f"{x.shape[0]} x {x.shape[1]} features of {work.extractor.name}; accuracy on {len(y_test)} test images: "
        f"Spark ML {correct / len(y_test):.1%}, scikit-learn {fitted.score(x_test, y_test):.1%}.",
        f"Iterations: Spark ML {model.summary.totalIterations}, scikit-learn {int(max(fitted[-1].n_iter_))}.",
        _explanation(report.resources, spark_s[-1], work.cores),
    ]
    if (ratio := median(a / b for a, b in zip(spark_s, sklearn_s, strict=True))) > 2:
        notes.append(f"Spark takes {ratio:.1f} times as long: compare the two parts of its last fit above.")
    return Result(NAME, "s", spark_s, sklearn_s, notes=notes)


def _explanation(resources: Resources, wall_s: float, cores: int) -> str:
    """Splits the wall time of a fit into task time and the rest, which is overhead per job."""
    outside_s = max(wall_s - resources.task_run_s / cores, 0)
    return (
        f"Last Spark fit: {wall_s:.2f} s wall, {resources.task_cpu_s:.2f} task CPU seconds and "
        f"{resources.task_run_s:.2f} task seconds on {cores} cores, {resources.jobs} jobs; outside of "
        f"tasks: {outside_s:.2f} s, which is {outside_s / max(resources.jobs, 1) * 1e3:.0f} ms per job."
    )


def _matrix(features: DataFrame, split: str) -> tuple[Any, Any]:
    import numpy as np

    rows = features.where(f"split = '{split}'").select("features", "label").toPandas()
    # float64, because that is what Spark's vectors hold.
    return np.stack(rows["features"].to_numpy()).astype(np.float64), rows["label"].to_numpy()


def fit_sklearn(before: Any, x: Any, y: Any, params: dict[str, Any]) -> tuple[Any, float]:
    """Fits scikit-learn's logistic regression behind another step, with the penalty that `reg_param` is to Spark ML.

    Args:
        before: What makes of every row the numbers that are learned from.
        x: The rows.
        y: Their labels.
        params: `reg_param` and `max_iter`.

    Returns:
        The fitted steps, and the seconds.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    strength = 1 / (len(x) * params["reg_param"]) if params["reg_param"] else float("inf")
    model = make_pipeline(before, LogisticRegression(solver="lbfgs", C=strength, max_iter=params["max_iter"]))
    started = time.perf_counter()
    with warnings.catch_warnings():
        # Both sides stop at the same number of iterations, converged or not.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x, y)
    return model, time.perf_counter() - started
