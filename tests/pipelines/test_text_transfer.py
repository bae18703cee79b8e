"""A transfer of an encoder of texts: what is legal, what is stored of frozen encoders, and what a saved network predicts."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from tests.factories.encoders import write_encoder
from tests.factories.texts import review
from tests.factories.transfer import ADAMW

pytest.importorskip("transformers")
import torch

from cifar_pipelines.backbones import load_weights
from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.contents import TEXT
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.families import families, require_readable
from cifar_pipelines.pipelines.features.worker import ExtractionJob, extract_array
from cifar_pipelines.pipelines.transfer.specification import specify_transfer
from cifar_pipelines.pipelines.transfer.stored import Views, _truncated
from cifar_pipelines.training.prediction import PredictionJob
from cifar_pipelines.training.prediction_views import PredictionViews
from cifar_pipelines.training.saved_network import network_from
from cifar_pipelines.training.transferred_network import TransferredNetwork

TEXTS = [review(number, number % 2).encode() for number in range(9)]
PHASE = {"train": "last:1", "epochs": 1, "batch_size": 8, "optimiser": ADAMW}


@pytest.fixture(scope="module")
def block(tmp_path_factory):
    encoder = write_encoder(tmp_path_factory.mktemp("encoder"), "bert")
    tiny = {"justification": "Small.", "backbone": f"transformers:{encoder}", "phases": [PHASE]}
    return deepcopy(load_configuration()["parameters"]["transfer"]) | {
        "device": "cpu",
        "selected": ["tiny"],
        "models": {"tiny": tiny | {"input": {"max_tokens": 10}}},
    }


def specify(block, **changes):
    model = block["models"]["tiny"] | changes
    return specify_transfer("tiny", "local", block | {"models": {"tiny": model}})


def test_what_is_stored_of_a_frozen_encoder_is_what_the_network_makes_of_the_texts(block):
    spec = specify(block)
    views = Views(spec)
    state = views.prepare()
    job = ExtractionJob("texts", views, lambda: state, "fp32", 4)
    network = spec.backbone.build(None, load_weights(spec.backbone).state_dict).eval()
    ids = spec.input.tokens(TEXTS).ids
    with torch.inference_mode():
        expected = np.concatenate([network(spec.input.batch([one])).numpy() for one in ids])
    np.testing.assert_allclose(extract_array(job, TEXTS), expected, atol=1e-5)
    assert views.square is None and "at most 10 tokens, pooled by mean" in views.describe()["weights"]


def test_texts_that_are_longer_than_the_network_sees_are_counted_where_vectors_are_stored(block, spark):
    spec = specify(block)
    table = spark.session.createDataFrame([(bytearray(one),) for one in TEXTS], "image binary").repartition(2)
    assert _truncated(table, Views(spec).texts) == spec.input.tokens(TEXTS).truncated > 0
    assert _truncated(table, None) is None


def test_a_saved_network_predicts_texts_in_their_order_without_its_folder(block):
    spec = specify(block)
    module = spec.backbone.build(2, load_weights(spec.backbone).state_dict).eval()
    trained = TransferredNetwork("transformers:/is/gone", spec.input, module.state_dict(), ("neg", "pos"), {})
    loaded = network_from(trained.as_dict())
    job = PredictionJob("saved", loaded.build, loaded.input.size, "fp32", PredictionViews(), loaded.input)
    found = job.predict(TEXTS)
    with torch.inference_mode():
        alone = [module(spec.input.batch([one])).softmax(1)[0].numpy() for one in spec.input.tokens(TEXTS).ids]
    np.testing.assert_allclose(found, np.stack(alone), atol=1e-5)
    with pytest.raises(ValueError, match="no word in it"):
        job.predict([b"Good.", b" "])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"views": 2}, "has views, which is of images"),
        ({"flip_at_test": True}, "has flip_at_test, which is of images"),
        ({"shift_at_test": 1}, "has shift_at_test, which is of images"),
        ({"phases": [PHASE | {"augmentation": ["flip"]}]}, "has augmentation, which is of images"),
        ({"phases": [PHASE | {"train": "last:9"}]}, "has 3 blocks: body.embeddings, body.encoder.layer.0"),
        ({"input": {"max_tokens": 99}}, "sees at most 32 tokens, and max_tokens is 99"),
        ({"input": {"size": 32}}, "reads texts, which have no size or policy"),
        ({"backbone": "timm:test_efficientnet", "weights": "none"}, "input.max_tokens is of texts"),
    ],
)
def test_what_does_not_fit_texts_is_refused(block, changes, message):
    with pytest.raises(UserError, match=message):
        specify(block, **changes)


def test_models_of_images_refuse_texts_and_the_other_way_round(block):
    parameters = load_configuration()["parameters"] | {"transfer": block | {"engines": ["local"]}}
    require_readable(families()["transfer"], parameters, TEXT)
    require_readable(families()["spark_ml"], parameters, TEXT)
    with pytest.raises(UserError, match="takes images, but the source holds texts"):
        require_readable(families()["bigdl_cnn"], parameters, TEXT)
    of_tfidf = parameters | {"features": parameters["features"] | {"extractor": "tfidf"}}
    require_readable(families()["features"], of_tfidf, TEXT)
    with pytest.raises(UserError, match="kmeans_patches, one of the extractions of features, takes images"):
        require_readable(families()["features"], parameters, TEXT)


def test_other_lengths_are_other_stored_features(block):
    spec = specify(block)
    longer = replace(spec, input=spec.input.adapted(12))
    assert Views(spec).describe()["weights"] != Views(longer).describe()["weights"]
