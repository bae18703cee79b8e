"""The ways in which models vote: what weights each gets, and what probability of each class follows."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

EM_STEPS = 500
# A vote of all counts half a vote of one: it decides ties, and overturns no majority.
TIE_BREAKER = 0.5


@dataclass(frozen=True)
class Choosing:
    """What weights are chosen by: images that no member learned from, and that no model is judged on.

    Attributes:
        probability: (members, n, classes) float64, what each member says of each image.
        label: (n,) int, the true classes.
        rounds: Members that the greedy vote takes, with repetition.
    """

    probability: np.ndarray
    label: np.ndarray
    rounds: int

    @property
    def of_truth(self) -> np.ndarray:
        """(members, n): the probability of the true class, never 0."""
        return np.maximum(self.probability[:, np.arange(len(self.label)), self.label], 1e-12)


@dataclass(frozen=True)
class Vote:
    """A way to vote.

    Attributes:
        words: What it does, a sentence for the report.
        choose: Returns the weights of the members, (members,) with the sum 1; None where all count the same.
        hard: Whether members name a class, instead of the probability of each.
    """

    words: str
    choose: Callable[[Choosing], np.ndarray] | None = None
    hard: bool = False

    def combine(self, probability: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """What the members say together.

        Args:
            probability: (members, n, classes).
            weights: (members,) with the sum 1.

        Returns:
            (n, classes) float64; rows sum to one.
        """
        # Not by BLAS, whose last digits would depend on how many images there are.
        mean = sum(weight * one for weight, one in zip(weights, probability, strict=True))
        if self.hard:
            named = np.eye(probability.shape[2])[probability.argmax(axis=2)].sum(axis=0)
            mean = named + TIE_BREAKER * mean
        return mean / mean.sum(axis=1, keepdims=True)


def _best_mixture(choosing: Choosing) -> np.ndarray:
    """The weights of the smallest log loss: the proportions of a mixture, by expectation maximisation.

    The loss is convex in the weights, so that the steps lead to its minimum from any start. Source: Dempster, Laird and
    Rubin, "Maximum likelihood from incomplete data via the EM algorithm", J. Royal Statistical Society B 39, 1977.
    """
    of_truth = choosing.of_truth
    weights = np.full(len(of_truth), 1 / len(of_truth))
    for _ in range(EM_STEPS):
        shares = weights[:, None] * of_truth
        weights = (shares / shares.sum(axis=0)).mean(axis=1)
    return weights


def _greedy(choosing: Choosing) -> np.ndarray:
    """Takes members one after another, with repetition, each time the one that helps most.

    What helps is accuracy and, of equal ones, log loss; the best of all rounds counts. Source: Caruana, Niculescu-Mizil,
    Crew and Ksikes, "Ensemble selection from libraries of models", ICML 2004.
    """
    members = len(choosing.probability)
    counts, total = np.zeros(members), np.zeros(choosing.probability.shape[1:])
    best, best_counts = (-1.0, -np.inf), counts
    for taken in range(1, choosing.rounds + 1):
        scores = [_score((total + one) / taken, choosing.label) for one in choosing.probability]
        chosen = max(range(members), key=scores.__getitem__)
        counts = counts + np.eye(members)[chosen]
        total = total + choosing.probability[chosen]
        if scores[chosen] > best:
            best, best_counts = scores[chosen], counts
    return best_counts / best_counts.sum()


def _score(probability: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """Accuracy, and the mean log of the probability of the truth."""
    of_truth = np.maximum(probability[np.arange(len(label)), label], 1e-12)
    return float((probability.argmax(axis=1) == label).mean()), float(np.log(of_truth).mean())


VOTES = {
    "hard": Vote("The class that most members name; their mean probability decides ties.", hard=True),
    "soft": Vote("The mean of the members' probabilities."),
    "weighted": Vote(
        "The mean of the members' probabilities with the weights of the smallest log loss.", _best_mixture
    ),
    "greedy": Vote("The mean of members that were taken one by one, each time the one that helped most.", _greedy),
}
