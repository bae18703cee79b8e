"""What of a transfer is refused before any process starts."""

from copy import deepcopy

import numpy as np
import pytest
from tests.factories.transfer import ADAMW, HEAD, LAST, WHOLE

from cifar_pipelines.backbones.weights import load_weights
from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.families import families
from cifar_pipelines.pipelines.transfer.specification import check_sizes, require_validation, specify_transfer
from cifar_pipelines.spark.setting import ParallelismSetting
from cifar_pipelines.training import device
from cifar_pipelines.training.device import settle_device, settle_precision
from cifar_pipelines.training.prediction_views import PredictionViews

PARAMETERS = load_configuration()["parameters"]
TINY = {
    "justification": "Because it is small.", "backbone": "timm:test_efficientnet", "weights": "none",
    "input": {"size": 16}, "phases": [LAST, WHOLE],
}  # fmt: skip


def specify(engine="torch_distributor", device="cpu", **changes):
    block = deepcopy(PARAMETERS["transfer"]) | {"device": device, "models": {"tiny": TINY | changes}}
    return specify_transfer("tiny", engine, block)


def test_a_small_transfer_is_legal():
    spec = specify()
    assert spec.model == "tiny_torch_distributor" and spec.epochs == 4 and spec.input.size == 16
    assert spec.stores_features and not specify(head_start="zeros").stores_features
    check_sizes(spec, 24, 2)
    require_validation(spec, False)


def test_predictions_are_averaged_over_the_views_that_are_asked_for_and_records_say_which():
    plain, shifted = specify(), specify(flip_at_test=True, shift_at_test=3)
    assert plain.prediction_views == PredictionViews() and shifted.prediction_views == PredictionViews(True, 3)
    weights = load_weights(plain.backbone, "none")
    assert "shift_at_test" not in plain.params(weights)
    assert PredictionViews.of(shifted.params(weights)) == shifted.prediction_views


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"phases": []}, "must be a list of at least one phase"),
        ({"phases": [LAST | {"train": "last:30"}]}, "has 7 blocks: conv_stem"),
        ({"phases": [LAST | {"augmentation": ["twirl"]}]}, "Unknown augmentation 'twirl'"),
        ({"backbone": "timm:test_efficientnot"}, "Unknown timm backbone"),
        ({"backbone": "tensorflow:vgg16"}, "Unknown library of backbones"),
        ({"weights": "path:nowhere.pth"}, "nowhere.pth.* is no file"),
        ({"weights": "internet"}, "weights is 'internet', but must be download"),
        ({"head_start": "magic"}, "head_start is 'magic', but must be one of logistic_regression, zeros, random"),
        ({"keep": "first"}, "keep is 'first', but must be one of best, last"),
        ({"views": 11}, "views is 11, but there are 10"),
        ({"views": 0}, "views is 0, but must be a whole number"),
        ({"shift_at_test": -1}, "shift_at_test is -1, but must be a whole number of at least 0"),
        ({"shift_at_test": 16}, r"shift_at_test is 16, but must be smaller than the network's input \(16 pixels\)"),
        ({"loader": "disk"}, "loader is 'disk', but must be memory"),
        ({"precision": "fp8"}, "precision is 'fp8', but must be one of"),
        ({"precision": "fp16"}, "precision is 'fp16', which only GPUs train in"),
        ({"justification": " "}, "justification is empty"),
        ({"input": {"size": 16, "policy": "stretch"}}, "Unknown policy 'stretch'"),
        ({"backbone": "torchvision:squeezenet1_1", "input": {"size": 64}}, "is no linear layer on its features"),
        ({"backbone": "torchvision:inception_v3", "input": {"size": 80}}, "cannot be trained on images of 80 px"),
        ({"device": "tpu"}, "device is 'tpu', but must be one of auto, cpu, gpu"),
        ({"device": "gpu"}, "device is 'gpu', but the engine torch_distributor trains on the executors' CPUs"),
    ],
)
def test_what_is_wrong_with_a_transfer_is_one_sentence(changes, words):
    with pytest.raises(UserError, match=words):
        specify(**changes)


@pytest.mark.parametrize(
    ("phase", "images", "workers", "words"),
    [
        (WHOLE | {"batch_size": 1}, 24, 2, "batch_size of phase 1 .* is 1, fewer than the 2 workers"),
        (WHOLE | {"batch_size": 1}, "all", 2, "batch_size of phase 1 .* is 1, fewer than the 2 workers"),
        (WHOLE | {"bn": "train", "batch_size": 2}, "all", 2, "one image has no variance"),
        (WHOLE, 7, 1, "is 8, more than the 7 training images"),
        (WHOLE | {"bn": "train", "batch_size": 2}, 24, 2, "1 images for each of 2 workers.*one image has no variance"),
        (
            WHOLE | {"bn": "train", "batch_size": 14},
            24,
            2,
            "7 images for each.*so few say little.*at least 16, or bn: frozen",
        ),
    ],
)
def test_batches_that_do_not_suffice_are_refused(phase, images, workers, words):
    with pytest.raises(UserError, match=words):
        check_sizes(specify(phases=[phase]), images, workers)


def test_phases_on_stored_features_have_one_worker():
    check_sizes(specify(phases=[HEAD | {"batch_size": 1}]), 24, 4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"keep": "best"}, "has keep: best, which is decided on validation images"),
        ({"phases": [LAST | {"patience": 2}]}, "has patience: 2"),
    ],
)
def test_nothing_is_chosen_on_test_images(changes, words):
    spec = specify(**changes)
    require_validation(spec, True)
    with pytest.raises(UserError, match=words):
        require_validation(spec, False)


def test_a_model_without_a_block_is_refused_with_the_nearest():
    parameters = deepcopy(PARAMETERS)
    parameters["transfer"]["selected"] = ["lite00"]
    with pytest.raises(UserError, match=r"Unknown transfer 'lite00'\. Did you mean 'lite0'"):
        families()["transfer"].check(parameters, ParallelismSetting(2, 1, "1g"))


def test_weights_that_are_missing_are_named_all_at_once():
    parameters = deepcopy(PARAMETERS)
    models = {name: TINY | {"weights": f"path:{name}.pth"} for name in ("first", "second")} | {"third": TINY}
    parameters["transfer"] |= {
        "models": models,
        "selected": ["first", "second"],
        "engines": ["local", "torch_distributor"],
    }
    setting = ParallelismSetting(2, 1, "1g")
    with pytest.raises(UserError) as raised:
        families()["transfer"].check(parameters, setting)
    header, first, second = str(raised.value).splitlines()
    assert header == "2 of the selected transfers cannot be trained:"
    assert first.startswith("  first: weights ") and "first.pth' is no file. Give the path" in first
    assert second.startswith("  second: weights ") and "second.pth' is no file" in second
    parameters["transfer"]["selected"] = ["first", "third"]
    with pytest.raises(
        UserError, match=r"^weights '.*first\.pth' is no file\. Give the path of a state dict of timm:test_efficientnet"
    ):
        families()["transfer"].check(parameters, setting)


def test_fp16_is_refused_where_no_card_would_be_taken(monkeypatch):
    monkeypatch.setattr(device, "cards", lambda: 0)
    with pytest.raises(UserError, match="precision is 'fp16', which only GPUs train in"):
        specify(engine="local", device="auto", precision="fp16")
    monkeypatch.setattr(device, "cards", lambda: 1)
    assert specify(engine="local", device="auto", precision="fp16").wanted.precision == "fp16"


def test_devices_are_refused_where_there_are_too_few():
    assert settle_device("cpu", 1) is False
    with pytest.raises(UserError, match=r"device is 'gpu', but torch sees \d cards"):
        settle_device("gpu", 99)
    with pytest.raises(UserError, match="device is 'tpu', but must be one of"):
        settle_device("tpu", 1)
    assert settle_precision("fp32", on_gpu=False) == "fp32" and settle_precision("bf16", on_gpu=True) == "bf16"


def test_every_model_of_the_configuration_has_legal_phases():
    from cifar_pipelines.training.phases import build_phases

    for name, block in PARAMETERS["transfer"]["models"].items():
        assert build_phases(block["phases"], name) and np.all(
            [phase.epochs for phase in build_phases(block["phases"], name)]
        )


def test_an_optimiser_that_is_unknown_is_refused():
    with pytest.raises(UserError, match=r"Unknown optimiser 'adamm'\. Did you mean 'adam"):
        specify(phases=[LAST | {"optimiser": ADAMW | {"name": "adamm"}}])
