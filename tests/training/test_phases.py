from itertools import pairwise

import pytest
from tests.factories.transfer import ADAMW, HEAD, LAST, WHOLE, phases_of

from cifar_pipelines.backbones import create_backbone
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.training.phases import build_phases, learning_prefixes
from cifar_pipelines.training.stages import belongs


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ([], r"phases is \[\], but must be a list of at least one phase"),
        (None, "phases is None, but must be a list"),
        ("head", "phases is 'head', but must be a list"),
        ([WHOLE, LAST], r"Phase 2 of .* trains 'last:1' after 'all', which is more.*Change their order"),
        ([LAST, HEAD], r"Phase 2 of .* trains on cache after a phase on images.*Put phases on cache first"),
        ([HEAD | {"augmentation": ["flip"]}], "on cache has augmentation, but stored features .* are always the same"),
        ([HEAD | {"mixing": {"mixup": 0.2}}], "on cache has mixing, but stored features"),
        ([HEAD | {"train": "last:2"}], "trains 'last:2' on cache.*only the head can be trained"),
        ([LAST | {"train": "last:0"}], "train is 'last:0', but must be head, all, or last:<k>"),
        ([LAST | {"train": "body"}], "train is 'body', but must be"),
        ([LAST | {"inputs": "disk"}], "inputs is 'disk', but must be cache or images"),
        ([LAST | {"epochs": 0}], "epochs is 0, but must be a whole number of at least 1"),
        ([LAST | {"bn": "asleep"}], "asleep"),
        ([LAST | {"label_smoothing": 1.0}], "label_smoothing is 1.0, but must be"),
        ([LAST | {"optimiser": ADAMW | {"name": "lion"}}], "Unknown optimiser 'lion'"),
        ([LAST | {"schedule": {"name": "stairs"}}], "Unknown schedule 'stairs'"),
        ([LAST | {"epoch": 3}], "Unknown option 'epoch'"),
        ([{"train": "all"}], "lacks epochs, batch_size, optimiser"),
    ],
)
def test_what_makes_no_sense_is_refused(blocks, words):
    with pytest.raises(UserError, match=words):
        build_phases(blocks, "transfer.models.tiny")


def test_a_cut_that_does_not_exist_is_refused_with_those_that_do():
    stages = create_backbone("timm:test_efficientnet").stages()
    (phase,) = phases_of(LAST | {"train": "last:99"})
    with pytest.raises(UserError, match=r"has 7 blocks: conv_stem, .*conv_head\. Give last:<k> with k from 1 to 7"):
        learning_prefixes(phase, stages, "tiny")


def test_a_deeper_cut_trains_all_that_a_shallower_one_does():
    backbone = create_backbone("timm:test_efficientnet")
    names, stages = list(backbone.skeleton().state_dict()), backbone.stages()
    cuts = phases_of(HEAD, *(LAST | {"train": f"last:{blocks}"} for blocks in range(1, 8)))
    trained = [{name for name in names if belongs(name, learning_prefixes(cut, stages, "tiny"))} for cut in cuts]
    assert trained[0] == {"classifier.weight", "classifier.bias"} and trained[-1] == set(names)
    assert all(shallow < deep for shallow, deep in pairwise(trained))


def test_all_has_no_prefixes():
    (phase,) = phases_of(WHOLE)
    assert learning_prefixes(phase, create_backbone("timm:test_efficientnet").stages(), "tiny") is None
