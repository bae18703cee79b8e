"""How many numbers a fitted model consists of."""

from typing import Any


def parameter_count(model: Any) -> int | None:
    """Counts the learned numbers of a fitted Spark ML model; pipelines and one-vs-rest models are summed over their parts.

    They are weights of linear models and networks, nodes of trees, moments of naive Bayes and of scalers; None for a
    model that shows none of these.
    """
    for attribute in ("stages", "models"):
        if (parts := getattr(model, attribute, None)) is not None:
            counts = [parameter_count(part) for part in parts]
            return None if None in counts else sum(counts)
    if hasattr(model, "totalNumNodes"):
        return model.totalNumNodes
    if hasattr(model, "numNodes"):
        return model.numNodes
    if hasattr(model, "weights"):
        return model.weights.size
    if hasattr(model, "theta"):
        return model.theta.numRows * model.theta.numCols * 2 + model.pi.size
    if hasattr(model, "coefficientMatrix"):
        matrix = model.coefficientMatrix
        return matrix.numRows * matrix.numCols + model.interceptVector.size
    if hasattr(model, "coefficients"):
        return model.coefficients.size + 1
    if hasattr(model, "mean") and hasattr(model, "std"):
        return model.mean.size + model.std.size
    return None
