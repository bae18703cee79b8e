import numpy as np
import pytest

from cifar_pipelines import classifiers
from cifar_pipelines.classifiers import Task, check_hyperparameters, create_estimator, find, require_known
from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError

# Little work, where a classifier's default is much of it.
SMALL = {
    "gradient_boosted_trees": {"rounds": 1, "max_depth": 2},
    "linear_svm": {"max_iter": 5},
    "logistic_regression": {"max_iter": 10},
    "multilayer_perceptron": {"hidden": 5, "max_iter": 30},
    "random_forest": {"trees": 3, "max_depth": 3},
}
TASK = Task(features=4, classes=3, seed=1, cores=2)
CENTRES = np.array([[0, 0, 4, 0], [4, 0, 0, 1], [0, 4, 0, 2]])


@pytest.fixture(scope="module")
def table(spark):
    """Sixty points in three clouds."""
    from pyspark.ml.linalg import Vectors

    labels = np.arange(60) % 3
    points = CENTRES[labels] + np.random.default_rng(0).normal(0, 0.3, (60, 4))
    rows = [(float(label), Vectors.dense(point)) for label, point in zip(labels, points, strict=True)]
    table = spark.session.createDataFrame(rows, ["label", "features"]).repartition(2).persist()
    yield table
    table.unpersist()


@pytest.fixture(scope="module")
def fitted(table):
    """Returns a function that fits a classifier, each one once."""
    models = {}

    def fit(name):
        if name not in models:
            models[name] = create_estimator(name, TASK, SMALL.get(name, {})).fit(table)
        return models[name]

    return fit


@pytest.mark.parametrize("name", classifiers.names())
def test_a_classifier_is_registered_builds_fits_and_predicts(name, table, fitted):
    factory = find(name)
    assert factory.__name__ == name
    assert factory.__doc__
    rows = fitted(name).transform(table).select("label", "prediction").collect()
    assert {row["prediction"] for row in rows} == {0.0, 1.0, 2.0}
    assert sum(row["prediction"] == row["label"] for row in rows) >= 55


@pytest.mark.parametrize("name", classifiers.names())
def test_a_classifier_counts_its_parameters(name, fitted):
    from cifar_pipelines.pipelines.spark_ml.complexity import parameter_count

    model = fitted(name)
    by_hand = {
        "logistic_regression": 3 * 4 + 3,
        "multilayer_perceptron": (4 + 4) + (4 * 5 + 5) + (5 * 3 + 3),  # scaler, hidden layer, output layer
        "gaussian_naive_bayes": 3 * 4 + 3 * 4 + 3,  # means, variances, priors
        "linear_svm": 3 * (4 + 1),
    }
    if name in by_hand:
        assert parameter_count(model) == by_hand[name]
    elif name == "gradient_boosted_trees":
        assert parameter_count(model) == sum(tree.numNodes for part in model.models for tree in part.trees)
    elif name == "random_forest":
        assert parameter_count(model) == sum(tree.numNodes for tree in model.trees)
    else:
        assert parameter_count(model) is None or parameter_count(model) > 0


def test_a_tree_counts_its_nodes(fitted):
    from cifar_pipelines.pipelines.spark_ml.complexity import parameter_count

    drawn = fitted("decision_tree").toDebugString
    branches = drawn.count("If (")
    assert branches >= 2
    assert parameter_count(fitted("decision_tree")) == branches + drawn.count("Predict:")


def test_a_model_that_shows_no_numbers_has_no_count():
    from cifar_pipelines.pipelines.spark_ml.complexity import parameter_count

    class Opaque:
        pass

    class Chain:
        stages = (Opaque(),)

    assert parameter_count(Opaque()) is None
    assert parameter_count(Chain()) is None


def test_an_unknown_classifier_is_refused_with_the_nearest():
    message = r"Unknown classifier 'random_forrest'\. Did you mean 'random_forest'.*is one file in classifiers/"
    with pytest.raises(UserError, match=message):
        require_known("random_forrest")
    with pytest.raises(UserError, match="Unknown classifier"):
        create_estimator("svm", TASK, {})


def test_a_file_that_registers_nothing_is_an_error(monkeypatch, tmp_path):
    (tmp_path / "empty_classifier.py").touch()
    monkeypatch.setattr(classifiers, "__path__", [*classifiers.__path__, str(tmp_path)])
    assert "empty_classifier" in classifiers.names()
    with pytest.raises(UserError, match=r"classifiers/empty_classifier\.py must define its classifier"):
        find("empty_classifier")


@pytest.mark.parametrize("name", classifiers.names())
def test_an_unknown_hyperparameter_is_refused_with_the_nearest(name):
    for known in find(name).__kwdefaults__:
        with pytest.raises(UserError, match=rf"Unknown option '{known}s'.*'{known}'.*of the classifier '{name}'"):
            check_hyperparameters(name, {f"{known}s": 1})


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("random_forest", {"trees": "50"}, r"'trees' of the classifier 'random_forest' is '50', .* int\..* as 50"),
        ("random_forest", {"trees": 50.0}, r"is 50\.0, which is not of the type int"),
        ("random_forest", {"trees": True}, r"is True, which is not of the type int"),
        ("linear_svm", {"reg_param": "0.1"}, r"is '0\.1', which is not of the type float"),
        ("linear_svm", {"reg_param": None}, r"is None, which is not of the type float"),
        ("linear_svm", ["reg_param"], r"must be names and values"),
    ],
)
def test_a_hyperparameter_of_the_wrong_type_is_refused(name, params, message):
    with pytest.raises(UserError, match=message):
        check_hyperparameters(name, params)


def test_a_whole_number_is_accepted_where_a_fraction_is_wanted():
    checked = check_hyperparameters("linear_svm", {"reg_param": 1})
    assert checked == {"reg_param": 1.0} and type(checked["reg_param"]) is float


def test_hyperparameters_reach_the_estimator(spark):
    estimator = create_estimator("random_forest", TASK, {"trees": 7, "max_depth": 3, "max_bins": 8})
    assert (estimator.getNumTrees(), estimator.getMaxDepth(), estimator.getMaxBins()) == (7, 3, 8)
    assert estimator.getSeed() == TASK.seed
    assert create_estimator("linear_svm", TASK, {}).getParallelism() == TASK.cores
    perceptron = create_estimator("multilayer_perceptron", TASK, {"hidden": 9}).getStages()[1]
    assert perceptron.getLayers() == [4, 9, 3]


def test_the_same_seed_gives_the_same_model(table, fitted):
    again = create_estimator("random_forest", TASK, SMALL["random_forest"]).fit(table)
    assert again.toDebugString.split("\n")[1:] == fitted("random_forest").toDebugString.split("\n")[1:]


def test_every_classifier_is_configured_with_a_reason_and_legal_hyperparameters():
    blocks = load_configuration()["parameters"]["spark_ml"]["classifiers"]
    assert set(blocks) == set(classifiers.names())
    for name, block in blocks.items():
        assert len(block["justification"].split()) > 5, name
        check_hyperparameters(name, block["params"])


@pytest.mark.parametrize("classes", [2, 3])
def test_the_penalty_of_logistic_regression_is_that_of_scikit_learn(classes, table):
    from sklearn.linear_model import LogisticRegression

    rows = table.where(f"label < {classes}")
    task, reg_param = Task(features=4, classes=classes, seed=1, cores=2), 0.1
    params = {"max_iter": 200, "reg_param": reg_param, "standardize": False}
    ours = create_estimator("logistic_regression", task, params).fit(rows).transform(rows)
    given = ours.select("features", "label", "probability").collect()
    x, y = np.array([row["features"].toArray() for row in given]), [row["label"] for row in given]
    theirs = LogisticRegression(C=1 / (len(x) * reg_param), tol=1e-8, max_iter=1000).fit(x, y).predict_proba(x)
    assert np.allclose([row["probability"].toArray() for row in given], theirs, atol=1e-3)
