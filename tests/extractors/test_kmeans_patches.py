import io
import pickle
import resource

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import adaptive_avg_pool2d

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import decode, resize
from cifar_pipelines.extractors import create_extractor, kmeans_patches
from cifar_pipelines.extractors.kmeans_patches import KMeansPatches

SIZE, PATCH, CENTROIDS = 12, 4, 10


@pytest.fixture(scope="module")
def images():
    """Twenty smooth colour images of odd sizes."""
    random, encoded = np.random.default_rng(0), []
    for _ in range(20):
        coarse = Image.fromarray(random.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        buffer = io.BytesIO()
        coarse.resize((13, 15), Image.Resampling.BICUBIC).save(buffer, "PNG")
        encoded.append(buffer.getvalue())
    return encoded


def extractor(**options):
    return KMeansPatches(input_size=SIZE, **{"centroids": CENTROIDS, "patch_size": PATCH, "patches": 2000} | options)


@pytest.fixture(scope="module")
def state(images):
    return extractor().prepare(images, seed=3)


@pytest.fixture(scope="module")
def batch(images):
    return resize([decode(image) for image in images[:3]], SIZE)


def normalised_patches(image):
    """All patches of an image (3, size, size), row by row: contrast-normalised, (places, 3 * patch ** 2)."""
    side = image.shape[1] - PATCH + 1
    patches = [image[:, y : y + PATCH, x : x + PATCH].ravel() for y in range(side) for x in range(side)]
    patches = np.array(patches, dtype=np.float64)
    return np.array([(patch - patch.mean()) / np.sqrt(patch.var() + 10) for patch in patches])


def reference(image, state):
    """Features by Coates, Ng and Lee, one patch, one centroid and one quadrant after the other."""
    side = image.shape[1] - PATCH + 1
    activations = []
    for patch in normalised_patches(image):
        whitened = (patch - state["mean"]) @ state["whitening"]
        distances = np.array([np.linalg.norm(whitened - centroid) for centroid in state["dictionary"]])
        activations.append([max(0.0, distances.mean() - distance) for distance in distances])
    grid = np.array(activations).reshape(side, side, -1)
    halves = (slice(0, -(-side // 2)), slice(side // 2, side))  # an odd middle line belongs to both
    return np.concatenate([grid[rows, columns].mean(axis=(0, 1)) for rows in halves for columns in halves])


def test_features_are_those_of_the_slow_reference(state, batch):
    features = extractor(mirror=False).build(state, "fp32")(batch)
    assert features.shape == (3, 4 * CENTROIDS) and features.dtype == np.float32
    expected = np.array([reference(image.numpy(), state) for image in batch])
    assert expected.std() > 0.05
    np.testing.assert_allclose(features, expected, atol=1e-3, rtol=1e-3)


def test_mirrored_features_are_the_mean_over_image_and_mirror_image(state, batch):
    features = extractor(mirror=True).build(state, "fp32")(batch)
    expected = [(reference(image.numpy(), state) + reference(image.numpy()[:, :, ::-1], state)) / 2 for image in batch]
    np.testing.assert_allclose(features, expected, atol=1e-3, rtol=1e-3)


def test_an_image_and_its_mirror_image_have_the_same_mirrored_features(state, batch):
    features = extractor(mirror=True).build(state, "fp32")
    np.testing.assert_allclose(features(batch), features(batch.flip(3)), atol=1e-5)


def test_a_large_image_is_activated_in_bands_with_the_same_result(state, batch, monkeypatch):
    whole = extractor().build(state, "fp32")(batch)
    for patches in (1, 20, 50):  # one line of 9 places, two of them, five
        monkeypatch.setattr(kmeans_patches, "BAND_PATCHES", patches)
        np.testing.assert_allclose(extractor().build(state, "fp32")(batch), whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("side", [7, 8, 27])
def test_pooling_is_the_average_over_quadrants(side):
    places = torch.eye(side * side).reshape(side * side, side, side)
    pooling = adaptive_avg_pool2d(places, 2).flatten(1).t()
    assert torch.equal(kmeans_patches._quadrants(side), pooling)


def test_the_features_of_a_large_image_take_little_memory():
    made = KMeansPatches(input_size=224, centroids=CENTROIDS, patch_size=PATCH, mirror=False)
    length = 3 * PATCH**2
    state = {"mean": np.zeros(length), "whitening": np.eye(length), "dictionary": np.ones((CENTROIDS, length))}
    state = {key: value.astype(np.float32) for key, value in state.items()}
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 3, 224, 224), dtype=np.uint8))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert made.build(state, "fp32")(image).shape == (1, 4 * CENTROIDS)
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    ) / 2**10 < 200  # MiB; its matrix would take 9 GiB


def test_bf16_is_near_fp32(state, batch):
    low, high = (extractor().build(state, precision)(batch) for precision in ("bf16", "fp32"))
    assert low.dtype == np.float32
    cosine = (low * high).sum(1) / np.linalg.norm(low, axis=1) / np.linalg.norm(high, axis=1)
    assert cosine.min() > 0.99


def test_features_of_an_image_do_not_depend_on_its_company(state, batch):
    features = extractor().build(state, "fp32")
    np.testing.assert_array_equal(np.concatenate([features(batch[:1]), features(batch[1:])]), features(batch))


def test_a_flat_image_has_finite_features(state):
    flat = torch.full((1, 3, SIZE, SIZE), 200, dtype=torch.uint8)
    assert np.isfinite(extractor().build(state, "fp32")(flat)).all()


def test_the_state_has_the_described_shapes_and_pickles(state):
    length = 3 * PATCH**2
    shapes = {key: value.shape for key, value in pickle.loads(pickle.dumps(state)).items()}
    assert shapes == {"mean": (length,), "whitening": (length, length), "dictionary": (CENTROIDS, length)}
    assert {value.dtype for value in state.values()} == {np.dtype(np.float32)}


def test_whitening_undoes_the_covariance_of_the_patches(images):
    state = extractor(patches=20_000).prepare(images, seed=0)
    resized = resize([decode(image) for image in images], SIZE).numpy()
    patches = np.concatenate([normalised_patches(image) for image in resized])
    expected = np.cov(patches, rowvar=False) + 0.1 * np.eye(patches.shape[1])
    whitening = state["whitening"].astype(np.float64)
    np.testing.assert_allclose(whitening, whitening.T, atol=1e-4)
    found = np.linalg.inv(whitening @ whitening)
    assert np.linalg.norm(found - expected) < 0.1 * np.linalg.norm(expected)


def test_the_seed_decides_the_dictionary(images, state):
    again, other = (extractor().prepare(images, seed) for seed in (3, 4))
    for key, value in state.items():
        np.testing.assert_array_equal(again[key], value)
    assert not np.allclose(other["dictionary"], state["dictionary"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch_size": 1}, r"patch_size is 1, but must be between 2 and half of input_size \(12 px\)"),
        ({"patch_size": 7}, r"patch_size is 7, but must be"),
        ({"centroids": 1}, r"centroids is 1, but must be between 2 and a tenth of patches \(2000\)"),
        ({"centroids": 201}, r"centroids is 201, but must be"),
    ],
)
def test_numbers_that_cannot_work_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        extractor(**options).check()


def test_numbers_that_work_are_accepted():
    for options in ({}, {"patch_size": 2}, {"patch_size": 6}, {"centroids": 2}, {"centroids": 200}):
        extractor(**options).check()
    create_extractor("kmeans_patches").check()


def test_options_come_from_the_configuration_by_name():
    made = create_extractor("kmeans_patches", input_size=24, options={"centroids": 50, "mirror": False})
    assert (made.input_size, made.centroids, made.mirror, made.patch_size) == (24, 50, False, 6)
    with pytest.raises(
        UserError, match=r"Unknown option 'centroid'\. Did you mean 'centroids'.*of the extractor 'kmeans_patches'"
    ):
        create_extractor("kmeans_patches", options={"centroid": 50})
    with pytest.raises(UserError, match=r"'centroids' of the extractor 'kmeans_patches' is 50\.0, .*type int"):
        create_extractor("kmeans_patches", options={"centroids": 50.0})


def test_weights_are_refused_because_there_are_none():
    with pytest.raises(UserError, match=r"kmeans_patches learns its dictionary and takes no weights_path"):
        create_extractor("kmeans_patches", weights_path="weights.pth")


def test_a_variant_is_refused_because_there_are_none():
    with pytest.raises(UserError, match=r"kmeans_patches has no variants, such as 'large'"):
        create_extractor("kmeans_patches:large")


def test_the_description_says_what_was_learned():
    described = extractor().describe()
    assert described["extractor"] == "kmeans_patches" and described["input_size"] == SIZE
    assert "10 centroids of 4x4 patches" in described["weights"] and "mirror" in described["weights"]
    assert "mirror" not in extractor(mirror=False).describe()["weights"]
