import io
import math

import pytest
import torch
from tests.factories.training import make_recipe
from torch import nn

from cifar_pipelines.networks import NetworkShape, build_network
from cifar_pipelines.training.prediction_views import PredictionViews
from cifar_pipelines.training.recipe import create_optimizer
from cifar_pipelines.training.shard import Shard, normalise
from cifar_pipelines.training.trainer import NotFiniteError, Trainer, evaluate, predict_logits


def dark_and_bright(count=40, size=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    noise = torch.randint(0, 100, (count, 3, size, size), generator=generator)
    return Shard((noise + 120 * labels.view(-1, 1, 1, 1)).to(torch.uint8), labels, seed)


def linear():
    torch.manual_seed(0)
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))


def airbench(size=9):
    torch.manual_seed(0)
    network = build_network("airbench", NetworkShape(size, 2), {"width": 8, "growth": 2})
    return network.to(memory_format=torch.channels_last)


def make_trainer(network, precision="fp32", **changes):
    recipe = make_recipe(**{"epochs": 4, "batch_size": 10, **changes})
    shard = dark_and_bright()
    steps = len(shard.images) // recipe.batch_size
    return Trainer(network, create_optimizer(network, recipe), recipe, shard, steps, recipe.batch_size, precision)


def train(trainer, epochs):
    return [train_epoch(trainer) for _ in range(epochs)]


def train_epoch(trainer):
    for images, labels in trainer.begin_epoch():
        trainer.backward(trainer.forward(images, labels))
    return trainer.end_epoch()


def through_a_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def copied(state):
    return {name: value.clone() for name, value in state.items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("make_network", "learning_rate"), [(linear, 0.2), (airbench, 2.0)])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_dark_and_bright_images_are_told_apart_after_a_few_steps(make_network, learning_rate, precision):
    trainer = make_trainer(make_network(), precision, learning_rate=learning_rate, epochs=8)
    trainer.initialise()
    rows = train(trainer, 8)
    assert [row["images"] for row in rows] == [40] * 8
    assert rows[-1]["loss"] < rows[0]["loss"] / 2 and rows[-1]["seconds"] > 0
    test = dark_and_bright(seed=1)
    found = evaluate(trainer.network, trainer.weights(), test.images, test.labels, precision)
    assert found["correct"] == found["images"] == 40


def test_sums_are_those_of_the_batches():
    trainer = make_trainer(linear(), label_smoothing=0.2)
    losses = [trainer.forward(images, labels).item() for images, labels in trainer.begin_epoch()]
    sums = trainer.end_epoch()
    assert sums["loss"] == pytest.approx(10 * sum(losses)) and sums["images"] == 40
    shard = trainer.shard
    assert (
        sums["correct"] == evaluate(trainer.network, trainer.weights(), shard.images, shard.labels, "fp32")["correct"]
    )


def test_the_learning_rate_follows_the_schedule_over_all_epochs():
    trainer = make_trainer(linear(), learning_rate=0.5, warm_up=0.5, final_learning_rate=0.0)
    rates = []
    for _ in range(4):
        for images, labels in trainer.begin_epoch():
            trainer.backward(trainer.forward(images, labels))
            rates.append(trainer.learning_rate)
        trainer.end_epoch()
    assert rates[0] == pytest.approx(0.1) and rates[8] == max(rates) == 0.5 and rates[-1] < 0.1


def test_the_loss_is_weighted_by_the_share_of_the_worker():
    steps = []
    for weight in (1.0, 0.5):
        trainer = make_trainer(linear(), momentum=0.0)
        trainer.loss_weight = weight
        before = trainer.network[2].weight.detach().clone()
        trainer.backward(trainer.forward(*next(trainer.begin_epoch())))
        steps.append(trainer.network[2].weight.detach() - before)
    torch.testing.assert_close(steps[1], steps[0] / 2)


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_names_epoch_and_step(poison):
    trainer = make_trainer(linear())
    train_epoch(trainer)
    batches = trainer.begin_epoch()
    trainer.backward(trainer.forward(*next(batches)))
    with torch.no_grad():
        trainer.network[2].bias[0] = poison
    with pytest.raises(NotFiniteError, match=r"loss is (nan|inf) in epoch 2, step 2\. Lower .*learning_rate \(0\.1\)"):
        trainer.forward(*next(batches))


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_training_goes_on_from_a_state_as_if_it_had_not_stopped(averaging):
    changes = {"averaging": averaging, "flip": True, "crop_padding": 1, "cutout": 2, "bias_learning_rate_factor": 8.0}
    whole = make_trainer(airbench(), **changes)
    whole.initialise()
    train(whole, 4)

    first = make_trainer(airbench(), **changes)
    first.initialise()
    train(first, 2)
    second = make_trainer(airbench(), **changes)
    second.load_state(through_a_file(first.state()))
    assert second.epoch == 2
    train(second, 2)

    assert equal(second.weights(), whole.weights())
    assert equal(second.network.state_dict(), whole.network.state_dict())
    assert second.learning_rate == whole.learning_rate
    momenta = [[s["momentum_buffer"] for s in t.optimizer.state_dict()["state"].values()] for t in (whole, second)]
    assert all(torch.equal(*pair) for pair in zip(*momenta, strict=True))


def test_averaged_weights_are_a_convex_combination_of_those_after_each_step():
    trainer = make_trainer(airbench(), averaging=0.8, learning_rate=0.5)
    seen = []
    for _ in range(2):
        for images, labels in trainer.begin_epoch():
            trainer.backward(trainer.forward(images, labels))
            seen.append(copied(trainer.network.state_dict()))
        trainer.end_epoch()
    average, latest = trainer.weights(), trainer.network.state_dict()
    assert average.keys() == latest.keys() and not equal(average, latest)
    for name, value in average.items():
        if value.dtype.is_floating_point:
            values = torch.stack([state[name] for state in seen])
            assert (value >= values.amin(0) - 1e-6).all() and (value <= values.amax(0) + 1e-6).all(), name
        else:
            assert torch.equal(value, latest[name])


def test_averages_of_running_statistics_are_made_equal_beside_these():
    plain, averaging = (make_trainer(airbench(), averaging=share) for share in (0.0, 0.8))
    for trainer in (plain, averaging):
        train(trainer, 1)
    assert len(averaging.buffers()) == 2 * len(plain.buffers()) > 0
    for buffer in averaging.buffers():
        buffer.zero_()
    for name, _ in averaging.network.named_buffers():
        assert not averaging.weights()[name].any() and not averaging.network.state_dict()[name].any()


def test_the_average_of_weights_that_do_not_change_is_those_weights():
    trainer = make_trainer(linear(), averaging=0.9, learning_rate=1e-30)
    train(trainer, 1)
    for name, value in trainer.network.state_dict().items():
        torch.testing.assert_close(trainer.weights()[name], value)


def test_without_averaging_the_latest_weights_are_kept():
    trainer = make_trainer(linear())
    train(trainer, 1)
    assert equal(trainer.weights(), trainer.network.state_dict())
    assert trainer.state()["average"] is None


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_leaves_weights_and_mode_untouched(training):
    network, given, shard = airbench(), airbench(), dark_and_bright()
    with torch.no_grad():
        for parameter in given.parameters():
            parameter.mul_(1.5)
    network.train(training)
    before = copied(network.state_dict())
    found = evaluate(network, given.state_dict(), shard.images, shard.labels, "fp32")
    assert equal(network.state_dict(), before) and network.training is training
    assert all(module.training is training for module in network.modules())
    expected = evaluate(given, given.state_dict(), shard.images, shard.labels, "fp32")
    assert found == expected != evaluate(network, before, shard.images, shard.labels, "fp32")


@pytest.mark.parametrize("make_network", [linear, airbench])
def test_a_worker_without_validation_images_adds_nothing(make_network):
    network = make_network()
    images = torch.empty(0, 3, 9, 9, dtype=torch.uint8)
    found = evaluate(network, network.state_dict(), images, torch.empty(0, dtype=torch.int64), "fp32")
    assert found == {"loss": 0, "correct": 0, "images": 0}


def test_flip_at_test_averages_the_logits_of_both_sides():
    network, images = airbench().eval(), dark_and_bright(6).images
    plain = predict_logits(network, images, "fp32")
    mirrored = predict_logits(network, images.flip(-1), "fp32")
    both = predict_logits(network, images, "fp32", PredictionViews(flip=True))
    torch.testing.assert_close(both, (plain + mirrored) / 2)
    assert not torch.allclose(plain, mirrored)


def test_shift_at_test_averages_the_logits_of_all_views():
    network, images, views = airbench().eval(), dark_and_bright(6).images, PredictionViews(flip=True, shift=1)
    with torch.inference_mode():
        expected = torch.stack([network(view) for view in views(normalise(images))]).mean(0)
    torch.testing.assert_close(predict_logits(network, images, "fp32", views), expected)
    assert not torch.allclose(predict_logits(network, images, "fp32", PredictionViews(flip=True)), expected)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_predictions_do_not_depend_on_the_batch_size(precision, monkeypatch):
    network, images = airbench().eval(), dark_and_bright(7).images
    together = predict_logits(network, images, precision, PredictionViews(True, 1))
    monkeypatch.setattr("cifar_pipelines.training.trainer.EVALUATION_BATCH", 3)
    apart = predict_logits(network, images, precision, PredictionViews(True, 1))
    assert together.dtype == torch.float32 and together.shape == (7, 2)
    torch.testing.assert_close(apart, together, atol=1e-5 if precision == "fp32" else 0.02, rtol=0)


def test_predictions_are_those_of_the_network_on_normalised_images():
    network, images = airbench().eval(), dark_and_bright(4).images
    with torch.inference_mode():
        expected = network(normalise(images))
    torch.testing.assert_close(predict_logits(network, images, "fp32"), expected)


def test_mixed_images_have_a_loss_and_no_accuracy():
    trainer = make_trainer(linear())
    images, labels = next(trainer.begin_epoch())
    shares = nn.functional.one_hot(labels, 2).float()
    loss = trainer.forward(images, shares)
    torch.testing.assert_close(loss, trainer.forward(images, labels))
    assert math.isnan(trainer.end_epoch()["correct"])
