"""Predictions of training images by models that did not learn from them: a probe of stored features, fold by fold."""

from typing import TYPE_CHECKING

import numpy as np

from cifar_pipelines.common.errors import UserError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

LEAST_FOLDS = 2


def out_of_fold(
    features: "np.ndarray | csr_matrix", label: np.ndarray, classes: int, strength: float, folds: int, seed: int
) -> np.ndarray:
    """Predicts every image by a logistic regression that learned from the other folds.

    The features are standardised and the weights penalised as Spark ML's logistic regression does both.

    Args:
        features: (n, d) float, sparse or not.
        label: (n,) int.
        classes: Number of classes.
        strength: `reg_param` of Spark ML: half of it times the squared weights is added to the mean loss.
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
        penalty = 1 / (len(learned) * strength) if strength else np.inf
        # The intercept, which is not penalised, stands for the mean that sparse features keep.
        scaler = StandardScaler(with_mean=not issparse(features))
        model = make_pipeline(scaler, LogisticRegression(C=penalty, max_iter=200))
        model.fit(features[learned], label[learned])
        probability[np.ix_(held_out, model.classes_)] = model.predict_proba(features[held_out])
    return probability
