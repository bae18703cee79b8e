"""What learning later phases of a stream did to the earlier ones."""

from collections.abc import Sequence

import numpy as np

from cifar_pipelines.common.errors import UserError


def phase_accuracies(confusion: np.ndarray, phase_classes: Sequence[Sequence[int]]) -> np.ndarray:
    """The accuracy on the held-out images of every phase's classes.

    Args:
        confusion: (classes, classes) int: counts of one test, rows are the truth.
        phase_classes: The classes of every phase.

    Returns:
        (phases,) float64; NaN for a phase without held-out images.
    """
    right, actual = np.diag(confusion), confusion.sum(axis=1)
    counts = [(right[list(group)].sum(), actual[list(group)].sum()) for group in phase_classes]
    return np.array([hits / images if images else np.nan for hits, images in counts])


def phases_of(label: np.ndarray, classes_per_phase: int) -> tuple[list[int], list[list[int]]]:
    """The phases of a stream whose classes come one group after the other.

    Args:
        label: (n,) int: the labels in the order of the stream; -1 for an unknown one.
        classes_per_phase: Classes of a phase.

    Returns:
        Place of the first image of every phase, and the classes of every phase in the order in which they came.
    """
    classes, first = np.unique(label, return_index=True)
    known = classes >= 0
    order = np.argsort(first[known])
    classes, first = classes[known][order], first[known][order]
    starts = list(range(0, len(classes), classes_per_phase))
    return [int(first[at]) for at in starts], [classes[at : at + classes_per_phase].tolist() for at in starts]


def forgetting(accuracies: np.ndarray) -> dict[str, float]:
    """Sums up an accuracy matrix.

    Sources: backward transfer of D. Lopez-Paz and M. Ranzato, "Gradient episodic memory for continual learning", NIPS 2017,
    arXiv:1706.08840, and forgetting of A. Chaudhry et al., "Riemannian walk for incremental learning", ECCV 2018,
    arXiv:1801.10112.

    Args:
        accuracies: (phases, phases) float: row i, column j is the accuracy on phase j after phase i was learned.

    Returns:
        `average_accuracy` after the last phase; `backward_transfer`, the mean change of the accuracy on a phase from the end of
        the phase to the end of the stream (below 0 where something was forgotten); `forgetting`, the mean distance of the last
        accuracy on a phase from the best one before.

    Raises:
        UserError: If the matrix is not square or has fewer than two phases.
    """
    phases = len(accuracies)
    if phases < 2 or accuracies.shape != (phases, phases):
        raise UserError(
            f"Accuracies of the shape {accuracies.shape} say nothing of forgetting: it takes one row and one column for each of at least 2 phases."
        )
    last, earlier = accuracies[-1], np.arange(phases - 1)
    # Only what was there to be known: after phase i, the accuracy on a phase that had not come yet is not counted.
    best = np.array([accuracies[j:-1, j].max() for j in earlier])
    return {
        "average_accuracy": float(last.mean()),
        "backward_transfer": float((last[:-1] - accuracies[earlier, earlier]).mean()),
        "forgetting": float((best - last[:-1]).mean()),
    }
