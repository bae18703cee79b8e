"""How good every configured learner is after one pass over a feature table, and whether exact learners equal the fit of all images."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.result import Bar, Result
from benchmarks.workload import Step
from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.incremental.one_thread import one_thread
from cifar_pipelines.judging.prequential import log_losses
from cifar_pipelines.learners import Learner, LearningTask, create_learner
from cifar_pipelines.learners.ridge import Ridge

NAME, EXACT = "learners", "learners_exact"
BLOCK, SEED = 128, 42
BEST = Bar(0.80, at_least=True)
DIFFERENCE = Bar(0.001, at_least=False)  # of the accuracies
WEIGHTS = 1e-8  # between the weights of ridge in one pass and of all images at once, relative to the largest
Data = tuple[np.ndarray, np.ndarray]  # (n, dimension) float32 and labels (n,)


def measure(arguments: argparse.Namespace, step: Step) -> list[Result]:
    """Lets every learner of the configuration take the training images once, in one seeded order, and judges it on the test images.

    Raises:
        UserError: If there is no feature table.
    """
    train, test = read_features(arguments.features)
    step(
        f"{len(train[1]):,} training and {len(test[1]):,} test images of {train[0].shape[1]} numbers, blocks of {BLOCK}."
    )
    task = LearningTask(tuple(f"class {k}" for k in range(int(train[1].max()) + 1)), train[0].shape[1], SEED)
    models = load_configuration()["parameters"]["streaming"]["models"]
    accuracies, differences, notes, closest = {}, {}, [], True
    for name, block in models.items():
        learner = create_learner(block["learner"], task, block["options"])
        started = time.perf_counter()
        with one_thread():
            one_pass(learner, *train)
        seconds = time.perf_counter() - started
        accuracies[name], loss = judged(learner.predict(test[0]), test[1])
        note = f"{name}: {accuracies[name]:.2%}, log loss {loss:.3f}, {len(train[1]) / seconds:,.0f} images/s of learning alone"
        if block["learner"] in BATCH and not block["options"].get("random_features"):
            found = BATCH[block["learner"]](train, test[0], block["options"])
            differences[name] = abs(accuracies[name] - float((found == test[1]).mean()))
            note += f"; fit of all images at once {(found == test[1]).mean():.2%}"
        if isinstance(learner, Ridge) and name in differences:
            off = weights_off(learner, train)
            closest &= off <= WEIGHTS
            note += f", weights differ by {off:.1e} of the largest"
        step(note)
        notes.append(note)
    best = max(accuracies, key=accuracies.get)
    return [
        Result(NAME, "accuracy", [accuracies[best]], bar=BEST, notes=[f"The best is {best}.", *notes]),
        Result(EXACT, "difference", [max(differences.values())], bar=DIFFERENCE, holds=closest),
    ]


def read_features(folder: Path | None) -> tuple[Data, Data]:
    """The training and test images of a feature table, the former in a seeded order."""
    import pyarrow.dataset as ds

    if folder is None or not folder.is_dir():
        raise UserError(
            "--features names no feature table. Run `kedro run --pipelines ingestion,features`, and give its folder, such as "
            "data/04_feature/<source>/<subset>/<extractor>/features."
        )
    table = ds.dataset(folder, format="parquet").to_table(columns=["image_id", "label", "split", "features"])
    table = table.sort_by("image_id")
    x = np.stack(table["features"].combine_chunks().flatten().to_numpy().reshape(table.num_rows, -1))
    label, split = table["label"].to_numpy(), np.array(table["split"].to_pylist())
    order = np.random.default_rng(SEED).permutation(np.flatnonzero(split == "train"))
    test = np.flatnonzero(split == "test")
    return (x[order], label[order].astype(np.int64)), (x[test], label[test].astype(np.int64))


def one_pass(learner: Learner, x: np.ndarray, y: np.ndarray) -> None:
    """Lets a learner learn block by block."""
    for start in range(0, len(y), BLOCK):
        learner.learn(x[start : start + BLOCK], y[start : start + BLOCK])


def judged(probability: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """Accuracy and mean log loss."""
    return float((probability.argmax(axis=1) == label).mean()), float(log_losses(label, probability).mean())


def centred(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (n, d) less their mean, and the mean, float64."""
    x = x.astype(np.float64)
    mean = x.mean(axis=0)
    x -= mean
    return x, mean


def ridge_weights(train: Data, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights (d, classes) and intercepts of scikit-learn's ridge of all images at once."""
    from sklearn.linear_model import Ridge as BatchRidge

    x, mean = centred(train[0])
    truth = np.eye(int(train[1].max()) + 1)[train[1]]
    strength = len(x) * penalty * float(np.square(x).mean())
    fitted = BatchRidge(alpha=strength, fit_intercept=False, solver="cholesky").fit(x, truth - truth.mean(axis=0))
    return fitted.coef_.T, truth.mean(axis=0) - mean @ fitted.coef_.T


def weights_off(learner: Ridge, train: Data) -> float:
    """The largest difference between the weights of a learner and of all images at once, over the largest weight."""
    weights, _ = learner.linear()
    expected, _ = ridge_weights(train, learner.penalty)
    return float(np.abs(weights - expected).max() / np.abs(expected).max())


def _ridge(train: Data, x: np.ndarray, options: dict) -> np.ndarray:
    weights, intercepts = ridge_weights(train, options["penalty"])
    return (x.astype(np.float64) @ weights + intercepts).argmax(axis=1)


def _linear_discriminant(train: Data, x: np.ndarray, options: dict) -> np.ndarray:
    from scipy.linalg import solve

    y, classes = train[1], int(train[1].max()) + 1
    means = np.stack([train[0][y == k].mean(axis=0, dtype=np.float64) for k in range(classes)])
    within = train[0].astype(np.float64) - means[y]
    covariance = within.T @ within / len(y)
    covariance[np.diag_indices_from(covariance)] += options["shrinkage"] * np.trace(covariance) / len(covariance)
    weights = solve(covariance, means.T, assume_a="pos")
    prior = np.log(np.bincount(y) / len(y))
    return (x.astype(np.float64) @ weights + prior - 0.5 * np.einsum("kd,dk->k", means, weights)).argmax(axis=1)


def _nearest_class_mean(train: Data, x: np.ndarray, options: dict) -> np.ndarray:
    from sklearn.neighbors import NearestCentroid

    return NearestCentroid().fit(train[0].astype(np.float64), train[1]).predict(x.astype(np.float64))


def _gaussian_naive_bayes(train: Data, x: np.ndarray, options: dict) -> np.ndarray:
    from sklearn.naive_bayes import GaussianNB

    return GaussianNB().fit(train[0].astype(np.float64), train[1]).predict(x.astype(np.float64))


# By learner: labels (m,) of images that a fit of all training images at once predicts.
BATCH: dict[str, Callable[[Data, np.ndarray, dict], np.ndarray]] = {
    "ridge": _ridge,
    "linear_discriminant": _linear_discriminant,
    "nearest_class_mean": _nearest_class_mean,
    "gaussian_naive_bayes": _gaussian_naive_bayes,
}
