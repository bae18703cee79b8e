"""The head of a network on stored features: solved, or trained as a phase, in seconds and in one process.

A network whose body is frozen is a function of the image, so what it makes of one is computed once. Beginning the training
of all layers from a head that is right already keeps what the body knows: A. Kumar et al., "Fine-Tuning can Distort
Pretrained Features and Underperform Out-of-Distribution", ICLR 2022.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cifar_pipelines.backbones import Backbone
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.training.batches import PlacedShard, draw_places
from cifar_pipelines.training.phase_job import PhaseJob, first_weights
from cifar_pipelines.training.phase_trainer import PhaseTrainer

STARTS = ("logistic_regression", "zeros", "random")
STRENGTHS = (1e-3, 1e-2, 1e-1)  # inverse strengths of regularisation that are tried, for features of unit variance
ITERATIONS = 300
HELD_OUT = 5  # one training image in so many judges the strengths where no images were cut for validation


@dataclass(frozen=True)
class StoredFeatures:
    """What a frozen network makes of images.

    Attributes:
        train: float32 (n, views, d).
        labels: int64 (n,).
        keys: int64 (n,); see `draws.image_keys`.
        validation: float32 (m, d), of the first view.
        validation_labels: int64 (m,).
        chooses: Whether anything may be chosen by the validation images: not where they are test images, which draw the
            learning curve alone.
    """

    train: Tensor
    labels: Tensor
    keys: Tensor
    validation: Tensor
    validation_labels: Tensor
    chooses: bool = True

    def rows(self) -> tuple[Tensor, Tensor]:
        """Every view as an image of its own: float32 (n * views, d) and labels (n * views,)."""
        return self.train.flatten(0, 1), self.labels.repeat_interleave(self.train.shape[1])


def linear_head(backbone: Backbone) -> str:
    """The name of the linear layer that is all of a network's head.

    Raises:
        UserError: If its head is something else, which features alone do not feed.
    """
    name = backbone.head_names()[0].rstrip(".")
    if not isinstance(backbone.skeleton().get_submodule(name), nn.Linear):
        raise UserError(
            f"The head of {backbone.name} is no linear layer on its features, so it cannot be trained on stored ones. Write inputs: "
            "images for its phases, and head_start: zeros or random."
        )
    return name


class Head(nn.Module):
    """A linear layer under the name that it has in the whole network, for features in place of images.

    Args:
        name: That name.
        features: Numbers of an image.
        classes: Number of classes.
    """

    def __init__(self, name: str, features: int, classes: int) -> None:
        super().__init__()
        *parents, leaf = name.split(".")
        within: nn.Module = self
        for parent in parents:
            within.add_module(parent, nn.Module())
            within = within.get_submodule(parent)
        within.add_module(leaf, nn.Linear(features, classes))
        self._name = name

    def forward(self, features: Tensor) -> Tensor:
        """Logits (n, classes) of features (n, d)."""
        return self.get_submodule(self._name)(features)


@dataclass(frozen=True)
class HeadJob(PhaseJob):
    """A phase on stored features.

    Attributes:
        features: The features.
    """

    features: StoredFeatures | None = None

    @property
    def steps(self) -> int:
        """Steps of one epoch, in which every view is shown once."""
        return self.features.train.shape[0] * self.features.train.shape[1] // self.phase.batch_size

    def build_network(self) -> nn.Module:
        """The head alone, as the phase before left it."""
        name = linear_head(self.created_backbone)
        head = Head(name, self.features.train.shape[2], self.classes)
        weights = first_weights(self.checkpoint, self.number)
        head.load_state_dict({key: weights[key] for key in head.state_dict()})
        return head

    def create_optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """The phase's optimiser."""
        return self.phase.optimiser.create(network)

    def read_shard(self, rank: int, workers: int) -> PlacedShard:
        """Every view as an image of its own."""
        inputs, labels = self.features.rows()
        views = self.features.train.shape[1]
        keys = (self.features.keys[:, None] + torch.arange(views)).flatten()
        return PlacedShard(inputs, labels, keys, draw_places(len(labels), self.phase.batch_size, self.seed), self.seed)

    def batches(self, shard: PlacedShard, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of an epoch of this phase, counted from 0."""
        return shard.batches(self.drawn_epoch(epoch), self.steps, self.classes)

    def create_trainer(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, model: nn.Module, rank: int, workers: int
    ) -> PhaseTrainer:
        """See `Job`."""
        trainer = super().create_trainer(network, optimizer, model, rank, workers)
        trainer.prepare = _as_they_are
        return trainer

    def read_validation(self, rank: int, workers: int) -> tuple[list[Tensor], Tensor]:
        """The features of the validation images."""
        found = self.features.validation
        return ([found] if len(found) else []), self.features.validation_labels


def _as_they_are(features: Tensor) -> Tensor:
    return features


def start_head(network: nn.Module, name: str, start: str, features: StoredFeatures | None) -> None:
    """Gives the head of a network its first weights, in place.

    Args:
        network: The network, whose head is fresh.
        name: Name of its linear head; of no use for "random".
        start: One of `STARTS`.
        features: What the body makes of the images; needed for "logistic_regression" alone.
    """
    if start == "random":
        return
    head = network.get_submodule(name)
    with torch.no_grad():
        weight, bias = solve_head(features, head.weight.shape[0]) if start == STARTS[0] else (None, None)
        for parameter, value in ((head.weight, weight), (head.bias, bias)):
            parameter.zero_() if value is None else parameter.copy_(value)


def solve_head(features: StoredFeatures, classes: int) -> tuple[Tensor, Tensor]:
    """The linear layer that logistic regression finds, with the regularisation that is best on validation images.

    Returns:
        Weight (classes, d) and bias (classes,), float32.
    """
    inputs, labels = features.rows()
    mean, std = inputs.mean(0), inputs.std(0).clamp(min=1e-6)
    scaled = (inputs - mean) / std
    if len(features.validation) and features.chooses:
        judged = (scaled, labels, (features.validation - mean) / std, features.validation_labels)
    else:
        held = _held_out(labels, features.train.shape[1])
        judged = (scaled[~held], labels[~held], scaled[held], labels[held])
    strength = max(STRENGTHS, key=lambda one: _score(*judged, one, classes))
    weight, bias = _regress(scaled, labels, strength, classes)
    return weight / std, bias - (weight / std) @ mean


def _held_out(labels: Tensor, views: int) -> Tensor:
    """Which rows are judged where there are no validation images: every fifth image of each class, with all of its views.

    Not every fifth of all: in a stratified subset classes take turns, and those would be of few classes. Of a class with
    fewer images it is the last one, and none of a class with one.
    """
    of_images = labels[::views]
    held = torch.zeros(len(of_images), dtype=torch.bool)
    for label in of_images.unique():
        places = (of_images == label).nonzero().squeeze(1)
        every = min(HELD_OUT, max(len(places), 2))
        held[places[every - 1 :: every]] = True
    return held.repeat_interleave(views)


def _score(inputs: Tensor, labels: Tensor, judged: Tensor, truth: Tensor, strength: float, classes: int) -> float:
    weight, bias = _regress(inputs, labels, strength, classes)
    return ((judged @ weight.T + bias).argmax(1) == truth).double().mean().item()


def _regress(inputs: Tensor, labels: Tensor, strength: float, classes: int) -> tuple[Tensor, Tensor]:
    """Logistic regression as scikit-learn defines it: the sum of the losses, and |W|^2 / (2 * strength)."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=strength, max_iter=ITERATIONS, tol=1e-3).fit(inputs.numpy(), labels.numpy())
    weight, bias = torch.zeros(classes, inputs.shape[1]), torch.full((classes,), -1e3)
    found, at = torch.from_numpy(fitted.coef_).float(), torch.from_numpy(fitted.intercept_).float()
    if len(fitted.classes_) == 2:  # one row, for the second class
        found, at = torch.cat([-found, found]) / 2, torch.cat([-at, at]) / 2
    weight[fitted.classes_], bias[fitted.classes_] = found, at
    return weight, bias
