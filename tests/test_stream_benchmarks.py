"""The benchmarks of streams, in small."""

import argparse
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks import learners, stream_kills
from benchmarks.__main__ import parse_arguments, selected_benchmarks
from benchmarks.feature_extraction import usual_features, usual_network
from benchmarks.stream_learning import sustained_learning
from benchmarks.usual_stream import usual_speed
from tests.factories.images import encode_image
from tests.factories.learners import MODELS

from cifar_pipelines.backbones import InputSpec
from cifar_pipelines.backbones.input_spec import IMAGENET_MEAN
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.extractors import create_extractor
from cifar_pipelines.pipelines.streaming.learn_node import sustained
from cifar_pipelines.pipelines.streaming.query import set_aside
from cifar_pipelines.streaming.landing import Landing
from cifar_pipelines.streaming.wire import Frame, StreamImage

SIDE = 32


@pytest.fixture
def table(tmp_path):
    """A feature table of three clouds."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 400)
    x = (2.5 * np.eye(3, 6)[label] + rng.normal(0, 1, (400, 6))).astype(np.float32)
    columns = {
        "image_id": [f"{n:03d}" for n in range(400)], "label": pa.array(label, pa.int32()),
        "split": ["train" if n < 300 else "test" for n in range(400)], "features": pa.array(list(x), pa.list_(pa.float32())),
    }  # fmt: skip
    (tmp_path / "features").mkdir()
    pq.write_table(pa.table(columns), tmp_path / "features" / "part.parquet")
    return tmp_path / "features"


def test_every_learner_is_judged_and_exact_ones_are_compared_with_the_fit_of_all(table, monkeypatch):
    exact = {name: {"learner": name, "options": {}} for name in ("nearest_class_mean", "gaussian_naive_bayes")}
    exact["lda"] = {"learner": "linear_discriminant", "options": {"shrinkage": 0.1}}
    models = MODELS | exact | {"wide": {"learner": "ridge", "options": {"penalty": 0.1, "random_features": 9}}}
    monkeypatch.setattr(learners, "load_configuration", lambda: {"parameters": {"streaming": {"models": models}}})
    best, differences = learners.measure(parse_arguments(["--features", str(table)]), lambda _: None)
    assert best.met and differences.met and differences.ours == [0.0]
    assert len(best.notes) == 1 + len(models)
    monkeypatch.setattr(learners, "WEIGHTS", 1e-18)
    assert learners.measure(parse_arguments(["--features", str(table)]), lambda _: None)[1].met is False


def test_without_a_feature_table_nothing_is_measured(tmp_path):
    for given in ([], ["--features", str(tmp_path / "none")]):
        with pytest.raises(UserError, match="--features names no feature table"):
            learners.measure(parse_arguments(given), lambda _: None)


def test_what_needs_something_made_first_runs_where_it_is_named():
    assert "learners" not in selected_benchmarks(parse_arguments([]))
    assert selected_benchmarks(parse_arguments(["--only", "learners"])) == ["learners"]


def test_the_usual_way_learns_every_line(monkeypatch):
    images = [encode_image(size=(SIDE, SIDE)) for _ in range(5)]
    of_pixels = create_extractor("pixels", input_size=8).build({}, "fp32")
    assert usual_speed(of_pixels, 8, images, np.array([0, 1, 0, 1, 1]), 2, 2) > 0


def test_the_usual_features_are_those_of_a_normalised_image():
    import torch

    white = torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)
    found = usual_features(lambda images: images.mean((2, 3)), InputSpec(2, 2, std=(0.5, 0.25, 0.125)))(white)
    assert found == pytest.approx(
        np.array([[(1 - mean) / std for mean, std in zip(IMAGENET_MEAN, (0.5, 0.25, 0.125), strict=True)]])
    )


@pytest.mark.parametrize("name", ["torchvision:squeezenet1_1", "timm:tf_efficientnet_lite0"])
def test_the_usual_network_is_the_extractors_at_the_size_of_its_weights(name):
    extractor = create_extractor(name, weights="none", input_size=32)
    state = extractor.prepare([], seed=0)
    network, expected = usual_network(SimpleNamespace(extractor=extractor, state=state))
    images = extractor.example(2) + 99
    assert expected.size == 224
    assert usual_features(network, expected)(images) == pytest.approx(extractor.build(state, "fp32")(images), abs=1e-4)


def test_images_that_were_lost_or_came_twice_are_counted(tmp_path):
    def land(*ids):
        landing = tmp_path / f"landing{len(list(tmp_path.iterdir()))}"
        with Landing(landing, 9, ["here"]) as opened:
            opened.admit("one", {"digest": "digest"}, "here")
            for number, image_id in enumerate(ids, 1):
                opened.land("one", Frame(number, 0, 1.0, 1.0, (StreamImage(image_id, 0, b""),)))
        set_aside(landing, 1, 2)
        return landing

    def learned(*counts):
        return {stream_kills.COUNTS: np.array(counts, float), "stream_ridge/counts": np.zeros(2)}

    assert stream_kills.miscounted(land("a", "b", "c"), learned(1, 2), 3) == []
    assert stream_kills.miscounted(land("a", "b"), learned(1, 2), 3) == ["2 LANDED in landing1, 2 of them different"]
    twice = stream_kills.miscounted(land("a", "b", "b"), learned(2, 2), 3)
    assert twice == ["3 LANDED in landing2, 2 of them different", "4 LEARNED from landing2"]


def test_what_is_sustained_begins_after_the_first_micro_batch():
    log = pd.DataFrame(
        {"images": [10, 20, 30, 40], "committed_at": [5.0, 7.0, 7.0, 9.0], "learn_s": [9.0, 1.0, 1.0, 2.0]}
    )
    assert sustained(log) == 90 / 4 and sustained_learning(log) == 90 / 3
    assert sustained(log[:1]) is None


def test_both_commands_of_a_stream_with_kills_are_given_the_same_images_and_extractor(tmp_path):
    given = {
        "source": "image_folder",
        "source_path": tmp_path,
        "weights_path": None,
        "input_size": 64,
        "centroids": None,
    }
    arguments = argparse.Namespace(**given, extractor="torchvision:mobilenet_v2")
    assert stream_kills._params(arguments, 320) == (
        f"source=image_folder,train_size=320,test_size=100,source_path={tmp_path},extractor=torchvision:mobilenet_v2,input_size=64"
    )
    arguments = argparse.Namespace(
        **given | {"source": "synthetic", "source_path": None, "input_size": None}, extractor="kmeans_patches"
    )
    assert stream_kills._params(arguments, 320) == (
        "source=synthetic,train_size=320,test_size=100,extractor=kmeans_patches,features.options.kmeans_patches.centroids=50,"
        "source_options.train_images=320"
    )
