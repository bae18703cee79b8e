import json
import shutil

import numpy as np
import pytest
from tests.factories.encoders import write_encoder

from cifar_pipelines.backbones import (
    TextSpec,
    content_sha256,
    create_backbone,
    input_from,
    load_weights,
    weights_in_place_sha256,
)
from cifar_pipelines.backbones.weights import file_sha256, say_random
from cifar_pipelines.common.errors import UserError

pytest.importorskip("transformers")
import torch

TEXTS = [b"A wonderful film", b"Bad", b"It was a very very moving film by a friend<br />and us"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_encoder(tmp_path_factory.mktemp("albert"))


def opened(folder, **given):
    spec = create_backbone(f"transformers:{folder}").input_spec(**given)
    return create_backbone(f"transformers:{folder}", spec), spec


def test_tokens_are_cut_counted_and_padded(folder):
    _, spec = opened(folder, max_tokens=6)
    ids, truncated = spec.tokens(TEXTS)
    assert [len(one) for one in ids] == [5, 3, 6] and truncated == 1
    assert spec.batch(ids)[1].tolist()[3:] == [spec.pad] * 3


def test_a_text_of_100_000_words_is_cut(folder):
    _, spec = opened(folder)
    ids, truncated = spec.tokens([b"film " * 100_000])
    assert len(ids[0]) == 32 and truncated == 1


@pytest.mark.parametrize("pooling", ["mean", "first", "pooler"])
def test_a_text_alone_and_in_a_padded_batch_have_the_same_logits(folder, pooling):
    backbone, spec = opened(folder, pooling=pooling)
    network = backbone.build(2, load_weights(backbone).state_dict).eval()
    ids = spec.tokens(TEXTS).ids
    with torch.inference_mode():
        together = network(spec.batch(ids))
        alone = torch.cat([network(spec.batch([one])) for one in ids])
    assert torch.allclose(together, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["albert", "bert"])
def test_with_its_pooler_it_is_the_sequence_classification_of_transformers(tmp_path, kind):
    from transformers import AutoConfig, AutoModelForSequenceClassification

    folder = write_encoder(tmp_path, kind)
    torch.manual_seed(1)
    theirs = AutoModelForSequenceClassification.from_config(AutoConfig.from_pretrained(folder)).eval()
    theirs.save_pretrained(folder)
    backbone, spec = opened(folder, pooling="pooler")
    ours = backbone.build(2, load_weights(backbone).state_dict).eval()
    ids = spec.batch(spec.tokens(TEXTS).ids)
    with torch.inference_mode():
        expected = theirs(input_ids=ids, attention_mask=(ids != 0).long()).logits
        assert torch.allclose(ours(ids), expected, atol=1e-6)
    assert "NewGELU" not in str(ours)  # eight operations in place of one


def test_a_spec_that_was_saved_needs_no_folder(folder, tmp_path):
    backbone, spec = opened(folder, max_tokens=10)
    saved = input_from(json.loads(json.dumps(spec.saved())))
    assert saved == spec and isinstance(saved, TextSpec)
    elsewhere = create_backbone("transformers:/is/gone", saved)
    state = load_weights(backbone).state_dict
    elsewhere.build(2).load_state_dict(backbone.build(2, state).state_dict())
    assert set(spec.to_json()) == {"max_tokens", "pooling", "tokenizer_sha256", "config_sha256"}


def test_random_weights_are_said_aloud(folder, caplog):
    backbone, _ = opened(folder)
    say_random.cache_clear()
    assert load_weights(backbone, "none").sha256 is None
    assert "gets random weights, as weights=none asks: it has learned nothing." in caplog.text


def test_every_parameter_lies_in_one_stage(tmp_path):
    backbone, _ = opened(write_encoder(tmp_path, "bert"))
    stages = backbone.stages()
    assert [name for name, _ in stages] == [
        "body.embeddings", "body.encoder.layer.0", "body.encoder.layer.1", "head",
    ]  # fmt: skip
    prefixes = [prefix for _, parts in stages for prefix in parts]
    for name, _ in backbone.skeleton().named_parameters():
        assert sum(name.startswith(prefix) for prefix in prefixes) == 1


def test_a_tokenizer_of_other_weights_is_refused_with_both_vocabularies(tmp_path):
    with pytest.raises(UserError, match=r"has 29 tokens, but the network knows 9: it is that of other weights"):
        opened(write_encoder(tmp_path, vocabulary=9))


def test_a_tokenizer_with_far_fewer_tokens_than_the_network_knows_is_told(tmp_path, caplog):
    opened(write_encoder(tmp_path, vocabulary=40))
    assert "has 29 tokens, and the network knows 40" in caplog.text


def test_a_folder_without_weights_or_configuration_says_what_to_put_there(tmp_path):
    with pytest.raises(UserError, match=r"holds no config.json, so it is no encoder of transformers. It has to hold"):
        create_backbone(f"transformers:{tmp_path}")
    folder = write_encoder(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"holds no model.safetensors. Put the weights there, or write weights: none"):
        load_weights(create_backbone(f"transformers:{folder}"))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match=r"The configuration or the tokenizer in .* cannot be read"):
        opened(folder)


def test_no_folder_and_no_network_says_what_to_put_where(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        UserError, match=r"neither a folder .* nor can it be fetched from the hub.*Put config.json, a tokenizer"
    ):
        create_backbone("transformers:nobody/nothing")


def test_without_transformers_it_is_said_how_to_install_it(monkeypatch):
    monkeypatch.setattr("cifar_pipelines.common.extras.find_spec", lambda name: None)
    with pytest.raises(
        UserError, match=r"backbone transformers:anything needs transformers, tokenizers.*make install-extras"
    ):
        create_backbone("transformers:anything")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_tokens": 2}, "max_tokens is 2, but must be"),
        ({"pooling": "most"}, "pooling is 'most', but must be one of mean, first, pooler"),
        ({"size": 32}, "reads texts, which have no size or policy"),
    ],
)
def test_wrong_inputs_are_refused(folder, given, message):
    with pytest.raises(UserError, match=message):
        opened(folder, **given)


def test_more_tokens_than_positions_are_refused(folder):
    backbone, spec = opened(folder, max_tokens=33)
    with pytest.raises(UserError, match="sees at most 32 tokens, and max_tokens is 33"):
        backbone.check_size(spec.max_tokens)


def test_batches_of_about_the_same_length_hold_every_text_once(folder):
    _, spec = opened(folder)
    found = list(spec.batches(TEXTS, 2))
    assert sorted(position for positions, _ in found for position in positions) == [0, 1, 2]
    assert np.diff([ids.shape[1] for _, ids in found]).min() >= 0


def test_an_encoder_in_a_folder_is_known_by_what_its_files_hold(folder, tmp_path):
    place = shutil.copytree(folder, tmp_path / "encoder")
    name, known = f"transformers:{place}", set()
    for _ in range(2):
        known |= {content_sha256(name, None), content_sha256(name, "none")}
        assert len(known) == 2
    for file in ("model.safetensors", "config.json"):
        (place / file).write_bytes((place / file).read_bytes() + b" ")
        known |= {content_sha256(name, None), content_sha256(name, "none")}
    assert len(known) == 5  # random weights do not depend on the file that they take the place of
    assert weights_in_place_sha256(name, None) == file_sha256(place / "model.safetensors")
    assert content_sha256("transformers:package:nothing", None) is content_sha256("kmeans_patches", None) is None
