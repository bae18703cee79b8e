"""Multilayer perceptron, with a replay buffer if wanted."""

import numpy as np

from cifar_pipelines.common.options import whole
from cifar_pipelines.learners import LearningTask, register
from cifar_pipelines.learners._parts import StandardisedLearner, between, softmax

BETAS, EPSILON = (0.9, 0.999), 1e-8  # Adam's own


@register
class Mlp(StandardisedLearner):
    """One hidden layer of ReLUs and a softmax, on standardised inputs, by Adam: one step per batch of images.

    Adam is that of D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, arXiv:1412.6980. With
    `replay`, a uniform sample of all images so far is kept (J. S. Vitter, "Random sampling with a reservoir", ACM TOMS 11,
    1985), and every batch is followed by `replay_batches` batches as large that are drawn from it: experience replay
    against forgetting (A. Chaudhry et al., "On tiny episodic memories in continual learning", arXiv:1902.10486).

    Args:
        task: What has to be learned.
        hidden: Units of the hidden layer.
        learning_rate: Adam's learning rate.
        batch_size: Images per step.
        replay: Images that are kept; 0 keeps none.
        replay_batches: Batches of kept images per batch of new ones.
    """

    at_once = "multilayer_perceptron"
    arrays = (
        *StandardisedLearner.arrays,
        "parameters", "first_moment", "second_moment", "steps", "kept", "kept_labels",
    )  # fmt: skip

    def __init__(
        self,
        task: LearningTask,
        *,
        hidden: int = 256,
        learning_rate: float = 1e-3,
        batch_size: int = 128,
        replay: int = 0,
        replay_batches: int = 1,
    ) -> None:
        super().__init__(task)
        for option, value, least in (
            ("hidden", hidden, 1), ("batch_size", batch_size, 1), ("replay", replay, 0), ("replay_batches", replay_batches, 1),
        ):  # fmt: skip
            whole(f"The option {option!r} of the learner 'mlp'", value, least)
        between("The option 'learning_rate' of the learner 'mlp'", learning_rate, 1e-9, 1)
        self.learning_rate, self.batch_size, self.replay, self.replay_batches = (
            learning_rate,
            batch_size,
            replay,
            replay_batches,
        )
        self.shapes = ((task.dimension, hidden), (hidden,), (hidden, len(task.classes)), (len(task.classes),))
        self.parameters = self._fresh()
        self.first_moment, self.second_moment = np.zeros_like(self.parameters), np.zeros_like(self.parameters)
        self.steps = np.zeros((), np.int64)
        self.kept, self.kept_labels = np.zeros((replay, task.dimension), np.float32), np.zeros(replay, np.int64)

    def _fresh(self) -> np.ndarray:
        """Weights of He et al. (arXiv:1502.01852) before the ReLUs; zeros after them, so that the first answer has no opinion."""
        drawn = np.random.default_rng(self.task.seed).standard_normal(self.shapes[0]) * np.sqrt(2 / self.task.dimension)
        rest = np.zeros(sum(int(np.prod(shape)) for shape in self.shapes[1:]))
        return np.concatenate([drawn.ravel(), rest]).astype(np.float32)

    def _layers(self, flat: np.ndarray) -> list[np.ndarray]:
        """The parts of a flat vector: weights and biases of both layers."""
        ends = np.cumsum([np.prod(shape) for shape in self.shapes])
        return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), self.shapes, strict=True)]

    def _learn(self, x: np.ndarray, y: np.ndarray) -> None:
        before, rng = int(self.seen), self.rng
        self._absorb(x)
        for start in range(0, len(x), self.batch_size):
            images, labels = x[start : start + self.batch_size], y[start : start + self.batch_size]
            self._step(images, labels)
            if self.replay:
                for _ in range(self.replay_batches if before + start else 0):
                    drawn = rng.integers(min(before + start, self.replay), size=len(images))
                    self._step(self.kept[drawn], self.kept_labels[drawn])
                self._keep(images, labels, before + start, rng)

    def _keep(self, images: np.ndarray, labels: np.ndarray, before: int, rng: np.random.Generator) -> None:
        """Lets images into the sample: the first ones all, a later one with the chance that keeps it uniform."""
        place = before + np.arange(len(images))
        place = np.where(place < self.replay, place, rng.integers(place + 1))
        let_in = place < self.replay
        self.kept[place[let_in]], self.kept_labels[place[let_in]] = images[let_in], labels[let_in]

    def _step(self, images: np.ndarray, labels: np.ndarray) -> None:
        """One step of Adam on a batch."""
        z = self._standardised(images).astype(np.float32)
        first, first_bias, second, second_bias = self._layers(self.parameters)
        hidden = np.maximum(z @ first + first_bias, 0)
        error = softmax(hidden @ second + second_bias)
        error[np.arange(len(labels)), labels] -= 1
        error /= len(labels)
        behind = (error @ second.T) * (hidden > 0)
        parts = (z.T @ behind, behind.sum(axis=0), hidden.T @ error, error.sum(axis=0))
        gradient = np.concatenate([part.ravel() for part in parts])
        self.steps += 1
        self.first_moment += (1 - BETAS[0]) * (gradient - self.first_moment)
        self.second_moment += (1 - BETAS[1]) * (np.square(gradient) - self.second_moment)
        # The moments began at zero; this is what corrects them.
        rate = self.learning_rate * np.sqrt(1 - BETAS[1] ** int(self.steps)) / (1 - BETAS[0] ** int(self.steps))
        self.parameters -= np.float32(rate) * self.first_moment / (np.sqrt(self.second_moment) + EPSILON)

    def _predict(self, x: np.ndarray) -> np.ndarray:
        first, first_bias, second, second_bias = self._layers(self.parameters)
        hidden = np.maximum(self._standardised(x).astype(np.float32) @ first + first_bias, 0)
        return softmax((hidden @ second + second_bias).astype(np.float64))
