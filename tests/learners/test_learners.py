import numpy as np
import pytest

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.own_code import CodeError
from cifar_pipelines.learners import LearningTask, checked_learner, create_learner, find, names
from cifar_pipelines.learners._parts import merge_moments

CLASSES = ("cat", "dog", "fox")
TASK = LearningTask(CLASSES, 4, seed=3)
CENTRES = np.array([[0, 0, 4, 0], [4, 0, 0, 1], [0, 4, 0, 2]])
SMALL = {"minibatch_kmeans": {"clusters": 6}, "mlp": {"hidden": 16, "learning_rate": 0.02, "batch_size": 8}}
VARIANTS = [(name, SMALL.get(name, {})) for name in names()] + [
    ("mlp", SMALL["mlp"] | {"replay": 50, "replay_batches": 2}),
    ("ridge", {"random_features": 30}),
    ("sgd_svm", {"penalty": 0.01}),
]


def clouds(n, seed=0, spread=0.5):
    """Points in three clouds, with the numbers of their clouds."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    return CENTRES[labels] + rng.normal(0, spread, (n, 4)), labels


def taught(name, options, blocks):
    learner = create_learner(name, TASK, options)
    for x, y in blocks:
        learner.learn(x, y)
    return learner


def blocks_of(x, y, size=20):
    return [(x[start : start + size], y[start : start + size]) for start in range(0, len(y), size)]


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_every_learner_learns_three_clouds_in_one_pass(name, options):
    learner = taught(name, options, blocks_of(*clouds(300)))
    x, y = clouds(200, seed=1)
    probability = learner.predict(x)
    assert probability.shape == (200, 3) and probability.dtype == np.float64
    assert np.allclose(probability.sum(axis=1), 1) and (probability >= 0).all()
    assert (probability.argmax(axis=1) == y).mean() > 0.9


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_before_the_first_block_all_classes_are_alike(name, options):
    assert np.allclose(create_learner(name, TASK, options).predict(np.ones((2, 4))), 1 / 3)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_one_class_one_image_and_none_are_blocks_too(name, options):
    x, y = clouds(60)
    learner = taught(name, options, [(x[y == 2], y[y == 2]), (x[:1], y[:1]), (x[:0], y[:0])])
    assert np.isfinite(learner.predict(x)).all() and learner.blocks == 2


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_constant_and_huge_numbers_give_finite_probabilities(name, options):
    x, y = clouds(40)
    x[:, 0], x[:, 1] = 7.0, x[:, 1] * 1e6
    probability = taught(name, options, blocks_of(x, y)).predict(x)
    assert np.isfinite(probability).all() and np.allclose(probability.sum(axis=1), 1)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_a_learner_that_loads_a_state_goes_on_as_the_one_that_gave_it(name, options):
    first, second = blocks_of(*clouds(80)), blocks_of(*clouds(60, seed=2))
    straight = taught(name, options, first + second)
    state = taught(name, options, first).state()
    other = create_learner(name, TASK, options)
    other.load(state)
    for x, y in second:
        other.learn(x, y)
    assert {key: array.tobytes() for key, array in other.state().items()} == {
        key: array.tobytes() for key, array in straight.state().items()
    }
    x, _ = clouds(10, seed=5)
    assert other.predict(x).tobytes() == straight.predict(x).tobytes()


@pytest.mark.parametrize("name", ["ridge", "linear_discriminant", "nearest_class_mean", "gaussian_naive_bayes"])
def test_an_exact_learner_gives_the_same_in_any_order_and_any_blocks(name):
    x, y = clouds(90)
    by_class = np.argsort(y, kind="stable")
    probe, _ = clouds(20, seed=4)
    once = taught(name, {}, [(x, y)]).predict(probe)
    assert np.allclose(taught(name, {}, blocks_of(x[by_class], y[by_class], 7)).predict(probe), once, atol=1e-10)


def test_ridge_is_the_ridge_of_scikit_learn_on_centred_numbers():
    from sklearn.linear_model import Ridge

    x, y = clouds(120)
    strength = 0.01 * x.var(axis=0).mean() * len(x)
    batch = Ridge(alpha=strength).fit(x, np.eye(3)[y])
    learner = taught("ridge", {"penalty": 0.01}, blocks_of(x, y))
    assert np.allclose(learner._scores(x), batch.predict(x))


def test_linear_discriminant_is_that_of_scikit_learn_without_shrinkage():
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    x, y = clouds(120)
    batch = LinearDiscriminantAnalysis(solver="lsqr").fit(x, y)
    assert np.allclose(
        taught("linear_discriminant", {"shrinkage": 1e-9}, blocks_of(x, y)).predict(x),
        batch.predict_proba(x),
        atol=1e-6,
    )


def test_naive_bayes_is_that_of_scikit_learn():
    from sklearn.naive_bayes import GaussianNB

    x, y = clouds(120)
    batch = GaussianNB(var_smoothing=0).fit(x, y)
    learner = taught("gaussian_naive_bayes", {"smoothing": 0}, blocks_of(x, y))
    assert np.allclose(learner.predict(x), batch.predict_proba(x), atol=1e-8)


def test_running_moments_lose_no_digits_far_from_zero():
    rows = np.random.default_rng(0).normal(0, 1e-3, (500, 2)) + 1e6
    count, mean, squares = np.zeros(()), np.zeros(2), np.zeros(2)
    for part in np.split(rows, [1, 2, 50, 333]):
        merge_moments(count, mean, squares, part)
    assert count == 500
    assert np.allclose(mean, rows.mean(axis=0), rtol=1e-15)
    assert np.allclose(squares / 500, rows.var(axis=0), rtol=1e-6)


def test_replay_remembers_the_classes_that_no_longer_come():
    x, y = clouds(1500, spread=2)
    by_class = np.argsort(y, kind="stable")
    stream = blocks_of(x[by_class], y[by_class])
    probe, truth = clouds(500, seed=1, spread=2)
    forgetful, remembering = (
        (taught("mlp", SMALL["mlp"] | {"replay": replay}, stream).predict(probe).argmax(axis=1) == truth).mean()
        for replay in (0, 200)
    )
    assert forgetful < 0.5 and remembering > forgetful + 0.2


def test_the_replay_buffer_is_a_uniform_sample_of_all_images():
    y = np.repeat([0, 1, 2], 400)
    learner = taught("mlp", SMALL["mlp"] | {"replay": 300}, blocks_of(CENTRES[y] + 0.0, y, 64))
    assert (np.abs(np.bincount(learner.kept_labels) - 100) < 35).all()


def test_an_unknown_learner_is_refused_with_the_nearest_names():
    with pytest.raises(UserError, match=r"Unknown learner 'rigde'. Did you mean 'ridge'\?"):
        create_learner("rigde", TASK)
    assert not any(name.startswith("_") for name in names())


def test_an_unknown_option_is_refused_with_the_nearest_names():
    with pytest.raises(UserError, match=r"Unknown option 'penalti'\. Did you mean 'penalty'"):
        checked_learner("ridge", {"penalti": 1.0})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ridge", {"penalty": 0.0}, "'penalty' of the learner 'ridge' is 0.0, but must be at least 1e-09"),
        ("ridge", {"random_features": -1}, "'random_features' of the learner 'ridge' is -1"),
        ("linear_discriminant", {"shrinkage": -1.0}, "'shrinkage'"),
        ("gaussian_naive_bayes", {"smoothing": -1.0}, "'smoothing'"),
        (
            "sgd_svm",
            {"learning_rate": 3.0},
            "'learning_rate' of the learner 'sgd_svm' is 3.0, but must be from 1e-09 to 2",
        ),
        ("sgd_logistic", {"penalty": -0.1}, "'penalty' of the learner 'sgd_logistic'"),
        ("mlp", {"hidden": 0}, "'hidden' of the learner 'mlp' is 0"),
        ("mlp", {"learning_rate": 2.0}, "'learning_rate' of the learner 'mlp'"),
        ("minibatch_kmeans", {"clusters": 1}, "'clusters' of the learner 'minibatch_kmeans' is 1"),
        ("minibatch_kmeans", {"prior": 0.0}, "'prior'"),
    ],
)
def test_an_option_that_cannot_be_is_refused(name, options, message):
    with pytest.raises(UserError, match=message):
        create_learner(name, TASK, options)


@pytest.mark.parametrize("label", [3, -1, 0.5, np.nan])
def test_a_label_that_is_not_in_the_class_list_is_refused(label):
    learner = create_learner("ridge", TASK)
    with pytest.raises(
        UserError,
        match=rf"The label {label} is not in the class list: 3 classes \(cat, dog, fox\) have the labels 0 to 2",
    ):
        learner.learn(np.ones((2, 4)), np.array([0, label]))
    assert learner.blocks == 0


def test_another_dimension_is_refused():
    with pytest.raises(UserError, match=r"the shape \(2, 5\), but ridge learns from images of 4 numbers"):
        create_learner("ridge", TASK).predict(np.ones((2, 5)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(value):
    x = np.ones((3, 4))
    x[1, 2] = value
    with pytest.raises(UserError, match=rf"Number 2 of image 1 of the block is {value}"):
        create_learner("mlp", TASK).learn(x, np.zeros(3, int))


def test_probabilities_that_are_not_finite_end_the_learning():
    learner = taught("mlp", SMALL["mlp"], blocks_of(*clouds(40)))
    learner.parameters[:] = np.nan
    with pytest.raises(FloatingPointError, match="its probabilities are not finite after 2 blocks"):
        learner.predict(clouds(5)[0])


def test_images_and_labels_of_other_numbers_are_refused():
    with pytest.raises(UserError, match="3 images and 2 labels"):
        create_learner("ridge", TASK).learn(np.ones((3, 4)), np.zeros(2, int))


def test_the_state_of_another_learner_is_refused():
    with pytest.raises(UserError, match="that of another learner"):
        create_learner("ridge", TASK).load(create_learner("nearest_class_mean", TASK).state())


def test_the_state_of_other_options_or_features_is_refused_and_changes_nothing():
    learner = taught("mlp", {"hidden": 8}, blocks_of(*clouds(40)))
    before = learner.state()["parameters"].tobytes()
    with pytest.raises(
        UserError, match=r"parameters is float32 of shape \(115,\) in the state, but float32 of shape \(67,\)"
    ):
        learner.load(create_learner("mlp", TASK, {"hidden": 14}).state())
    assert learner.state()["parameters"].tobytes() == before


@pytest.mark.parametrize("classes", [(), ("cat",), ("cat", "cat")])
def test_a_class_list_without_two_classes_is_refused(classes):
    with pytest.raises(UserError, match="must name at least 2 classes, each once"):
        LearningTask(classes, 4)


def test_an_image_without_numbers_is_refused():
    with pytest.raises(UserError, match="0 numbers, but a learner needs at least 1"):
        LearningTask(CLASSES, 0)


def test_a_learner_whose_code_cannot_make_it_is_named(monkeypatch):
    monkeypatch.setattr(find("ridge"), "__init__", lambda self, task, *, penalty=0.1: {}["nothing"])
    with pytest.raises(CodeError, match=r"^The learner 'ridge' cannot be made\. KeyError: 'nothing'"):
        create_learner("ridge", TASK)


def test_probabilities_of_another_shape_are_refused(monkeypatch):
    learner = create_learner("ridge", TASK)
    learner.learn(np.ones((3, 4)), np.arange(3))
    monkeypatch.setattr(learner, "_predict", lambda x: np.ones(len(x)))
    with pytest.raises(ValueError, match=r"its probabilities have the shape \(2,\), but must have \(2, 3\)"):
        learner.predict(np.ones((2, 4)))
