"""Mini-batch k-means, which learns without labels and is told afterwards what its clusters are."""

import numpy as np

from cifar_pipelines.common.options import whole
from cifar_pipelines.learners import LearningTask, register
from cifar_pipelines.learners._parts import StandardisedLearner, between, one_hot


@register
class MinibatchKMeans(StandardisedLearner):
    """Clusters of standardised images; a cluster's probabilities are the shares of the labels that were learned in it.

    Source: D. Sculley, "Web-scale k-means clustering", WWW 2010. Centres begin at images drawn by k-means++ (D. Arthur and
    S. Vassilvitskii, SODA 2007) as soon as there are enough of them, and each is the mean of all that were ever assigned to it.
    Labels come from training images alone, never from those that are predicted.

    Args:
        task: What has to be learned.
        clusters: Number of clusters.
        prior: Images of every class that a cluster is given at the beginning, so that no probability is 0.
    """

    arrays = (*StandardisedLearner.arrays, "waiting", "waiting_labels", "centres", "sizes", "label_counts")

    def __init__(self, task: LearningTask, *, clusters: int = 100, prior: float = 0.1) -> None:
        super().__init__(task)
        whole("The option 'clusters' of the learner 'minibatch_kmeans'", clusters, 2)
        between("The option 'prior' of the learner 'minibatch_kmeans'", prior, 1e-9, np.inf)
        self.clusters, self.prior = clusters, prior
        # Images that came before there were as many as clusters.
        self.waiting, self.waiting_labels = np.zeros((clusters, task.dimension)), np.zeros(clusters, np.int64)
        self.centres, self.sizes = np.zeros((clusters, task.dimension)), np.zeros(clusters)
        self.label_counts = np.zeros((clusters, len(task.classes)))

    def _learn(self, x: np.ndarray, y: np.ndarray) -> None:
        before = int(self.seen)
        self._absorb(x)
        if before < self.clusters:
            together = np.concatenate([self.waiting[:before], x]), np.concatenate([self.waiting_labels[:before], y])
            if len(together[0]) < self.clusters:
                self.waiting[: before + len(x)], self.waiting_labels[: before + len(x)] = together
                return
            x, y = together
            self._begin(self._standardised(x))
        z = self._standardised(x)
        nearest = self._nearest(z)
        chosen = one_hot(nearest, self.clusters)
        new = chosen.sum(axis=0)
        self.sizes += new
        self.centres += (chosen.T @ z - new[:, np.newaxis] * self.centres) / np.maximum(self.sizes, 1)[:, np.newaxis]
        np.add.at(self.label_counts, (nearest, y), 1)

    def _begin(self, z: np.ndarray) -> None:
        from sklearn.cluster import kmeans_plusplus

        self.centres[...] = kmeans_plusplus(z, self.clusters, random_state=int(self.rng.integers(2**31)))[0]

    def _nearest(self, z: np.ndarray) -> np.ndarray:
        """The number (n,) of the nearest centre."""
        return (np.square(self.centres).sum(axis=1) - 2 * z @ self.centres.T).argmin(axis=1)

    def _predict(self, x: np.ndarray) -> np.ndarray:
        weights = self.label_counts + self.prior
        shares = weights / weights.sum(axis=1, keepdims=True)
        return shares[self._nearest(self._standardised(x))]
