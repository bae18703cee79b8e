"""`kmeans_patches`: single-layer features from whitened patches, with no weights to download.

Source: A. Coates, A. Y. Ng and H. Lee, "An Analysis of Single-Layer Networks in Unsupervised Feature
Learning", AISTATS 2011. Patches are contrast-normalised and ZCA-whitened, a dictionary is learned by
k-means, activations are "triangle", and they are pooled over the four quadrants of the image.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import load_batch
from cifar_pipelines.extractors import Extractor, FeatureFunction, State, register

if TYPE_CHECKING:
    import torch

# Constants of the paper, for pixels in 0..255: they damp patches of almost one colour.
CONTRAST_EPSILON = 10.0
WHITENING_EPSILON = 0.1
BAND_PATCHES = 4096  # of an image, activated at once: those of an image of 69 pixels, and bands of a larger one


@register
class KMeansPatches(Extractor):
    """Triangle activations of whitened patches, pooled over quadrants: 4 x `centroids` features.

    Args:
        input_size: Height and width in pixels to which images are resized; None for 32.
        centroids: Size of the dictionary.
        patch_size: Height and width of a patch in pixels.
        patches: Number of training patches that the dictionary is learned from.
        mirror: Whether to average the features of the image and of its mirror image, which costs twice the
            time and is worth two points of accuracy with 10,000 training images.
    """

    training_images = 5000

    def __init__(
        self,
        variant: str = "",
        weights: str | None = None,
        input_size: int | None = None,
        *,
        centroids: int = 400,
        patch_size: int = 6,
        patches: int = 100_000,
        mirror: bool = True,
    ) -> None:
        if variant:
            remedy = "Leave out the colon and what follows it."
            raise UserError(f"kmeans_patches has no variants, such as {variant!r}. {remedy}")
        if weights is not None:
            raise UserError(
                "kmeans_patches learns its dictionary and takes no weights_path or weights; leave them out."
            )
        self.name = "kmeans_patches"
        self.centroids, self.patch_size, self.patches = centroids, patch_size, patches
        self.mirror = mirror
        self.input_size = input_size or 32

    def check(self) -> None:
        """Raises if the patch does not fit the image or the dictionary is larger than its sample."""
        if not 2 <= self.patch_size <= self.input_size // 2:
            raise UserError(
                f"kmeans_patches: patch_size is {self.patch_size}, but must be between 2 and half of input_size "
                f"({self.input_size} px)."
            )
        if not 2 <= self.centroids <= self.patches // 10:
            raise UserError(
                f"kmeans_patches: centroids is {self.centroids}, but must be between 2 and a tenth of patches "
                f"({self.patches})."
            )

    def prepare(self, images: Sequence[bytes], seed: int) -> State:
        """Learns whitening and dictionary from patches at random places of the training images.

        Returns:
            `mean` (p,), `whitening` (p, p) and `dictionary` (centroids, p), float32, with
            p = 3 * patch_size ** 2.
        """
        import numpy as np
        from sklearn.cluster import MiniBatchKMeans

        if not images:
            raise UserError("kmeans_patches learns from training images, and there is none that can be read.")
        rng = np.random.default_rng(seed)
        patches = self._sample_patches(images, rng)
        patches -= patches.mean(axis=1, keepdims=True)
        patches /= np.sqrt(patches.var(axis=1, keepdims=True) + CONTRAST_EPSILON)
        mean = patches.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov(patches, rowvar=False).astype(np.float64))
        whitening = (vectors / np.sqrt(values + WHITENING_EPSILON)) @ vectors.T
        whitened = ((patches - mean) @ whitening).astype(np.float32)
        kmeans = MiniBatchKMeans(
            self.centroids, batch_size=4096, n_init=1, max_iter=20, random_state=int(rng.integers(2**31))
        ).fit(whitened)
        return {
            "mean": mean.astype(np.float32),
            "whitening": whitening.astype(np.float32),
            "dictionary": kmeans.cluster_centers_.astype(np.float32),
        }

    def build(self, state: State, precision: str) -> FeatureFunction:
        """Builds the activation as two matrix products per image, or per band of a large one."""
        import numpy as np
        import torch
        from torch.nn.functional import unfold

        dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]
        mean, whitening, dictionary = (
            torch.from_numpy(np.ascontiguousarray(state[key])) for key in ("mean", "whitening", "dictionary")
        )
        whitening_low = whitening.to(dtype)
        centroids_low = dictionary.t().contiguous().to(dtype)
        centroid_norms = dictionary.square().sum(1)
        side = self.input_size - self.patch_size + 1
        pooling = _quadrants(side)
        lines = max(1, BAND_PATCHES // side)

        def activate(band: torch.Tensor) -> torch.Tensor:
            columns = unfold(band.unsqueeze(0), self.patch_size)[0].t()  # (positions, p)
            variance, average = torch.var_mean(columns, dim=1, correction=0, keepdim=True)
            columns = (columns - average) * torch.rsqrt(variance + CONTRAST_EPSILON) - mean
            whitened = columns.to(dtype) @ whitening_low
            squares = whitened.float().square().sum(1, keepdim=True) + centroid_norms
            distances = squares.sub_((whitened @ centroids_low).float(), alpha=2).clamp_(min=0).sqrt_()
            return distances.mean(1, keepdim=True).sub(distances).relu_()

        def pool(image: torch.Tensor) -> torch.Tensor:
            bands = (
                pooling[:, top * side : (top + lines) * side]
                @ activate(image[:, top : top + lines + self.patch_size - 1])
                for top in range(0, side, lines)
            )
            return sum(bands).flatten()

        @torch.inference_mode()
        def features(images: torch.Tensor) -> np.ndarray:
            pooled = []
            for image in images.float():  # one at a time: its activations fit a core's cache
                views = (image, image.flip(2)) if self.mirror else (image,)
                pooled.append(sum(map(pool, views)) / len(views))
            return torch.stack(pooled).numpy()

        return features

    def describe(self) -> dict[str, Any]:
        """Name, size of the dictionary, input size."""
        return {
            "extractor": self.name,
            "weights": f"none; {self.centroids} centroids of {self.patch_size}x{self.patch_size} patches learned "
            f"from the training subset{', mirror images averaged' if self.mirror else ''}",
            "input_size": self.input_size,
        }

    def _sample_patches(self, images: Sequence[bytes], rng: Any) -> Any:
        import numpy as np

        size, per_image = self.patch_size, -(-self.patches // len(images))
        sampled = []
        for encoded in images:
            image = load_batch([encoded], self.input_size)[0].numpy()
            places = rng.integers(0, self.input_size - size + 1, (per_image, 2))
            sampled += [image[:, y : y + size, x : x + size].reshape(-1) for y, x in places]
        return np.stack(sampled[: self.patches]).astype(np.float32)


def _quadrants(side: int) -> "torch.Tensor":
    """Average pooling over the quadrants of a square, (4, side ** 2); an odd middle line belongs to both halves."""
    import torch

    half = -(-side // 2)
    pooling = torch.zeros(2, 2, side, side)
    for row, lines in enumerate((slice(half), slice(side - half, None))):
        for column, places in enumerate((slice(half), slice(side - half, None))):
            pooling[row, column, lines, places] = torch.tensor(1.0) / half / half
    return pooling.reshape(4, -1)
