"""Predictions of training images by models that did not learn from them: a probe of stored features, fold by fold."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cifar_pipelines.common.errors import UserError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

LEAST_FOLDS = 2


class Penalty(NamedTuple):
    """What large weights cost.

    Attributes:
        strength: `reg_param` of Spark ML: half of it times the squared weights is added to the mean loss.
        standardised: Whether it is the weights of features of unit variance that cost it.
    """

    strength: float
    standardised: bool = True


def out_of_fold(
    features: "np.ndarray | csr_matrix", label: np.ndarray, classes: int, penalty: Penalty, folds: int, seed: int
) -> np.ndarray:
    """Predicts every image by a logistic regression that learned from the other folds.

    The weights are penalised as Spark ML's logistic regression does it.

    Args:
        features: (n, d) float, sparse or not.
        label: (n,) int.
        classes: Number of classes.
        penalty: How.
        folds: Into how many parts the images are cut, each with the classes' proportions.
        seed: Decides which.

    Returns:
        (n, classes) float64; rows sum to one.

    Raises:
        UserError: If a class has fewer images than there are folds.
    """
    from scipy.sparse import issparse
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    counts = np.bincount(label, minlength=classes)
    if counts[counts > 0].min() < folds:
        raise UserError(
            f"ensemble.folds is {folds}, but a class has only {counts[counts > 0].min()} training images, so that some fold "
            "would have none of it. Take fewer folds, or more images."
        )
    probability = np.zeros((len(label), classes))
    for learned, held_out in StratifiedKFold(folds, shuffle=True, random_state=seed).split(features, label):
        inverse = 1 / (len(learned) * penalty.strength) if penalty.strength else np.inf
        # The intercept, which is not penalised, stands for the mean that sparse features keep.
        scaler = StandardScaler(with_mean=not issparse(features), with_std=penalty.standardised)
        model = make_pipeline(scaler, LogisticRegression(C=inverse, max_iter=200))
        model.fit(features[learned], label[learned])
        probability[np.ix_(held_out, model.classes_)] = model.predict_proba(features[held_out])
    return probability
