import logging
import platform
import sys

import numpy as np
import pytest
import torch
from tests.factories.deployment import SIZE, save_network, small, unchanged
from torch import nn

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.squares import Square
from cifar_pipelines.compression import compiling, timing
from cifar_pipelines.compression.predicting import predict_all
from cifar_pipelines.compression.subject import Subject, load_subject
from cifar_pipelines.compression.torch_files import flops_of
from cifar_pipelines.compression.variants import create_variant, variant_names
from cifar_pipelines.training.shard import normalise

OPTIONS = {"structured_pruning": {"epochs": 2, "batch_size": 16, "channels": 0.4, "learning_rate": 0.02}}
# How far probabilities may be from those of the original.
NEAR = {"original": 0, "compiled": 1e-6, "onnx_fp32": 1e-5, "bf16": 0.03, "dynamic_int8": 0.05, "onnx_int8": 0.08, "torchao_int8": 0.08}  # fmt: skip


@pytest.fixture(scope="module")
def made(trained):
    """Every variant of the small network: what is known of it, its file, and what it predicts when it is loaded back."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        # Generated code is the same program, and takes half a minute: a compiler is no subject here.
        patch.setattr(torch, "compile", lambda module, dynamic: module)
        for name in variant_names():
            variant = create_variant(name, OPTIONS.get(name))
            file = trained.folder / f"{name}.{variant.ending}"
            known = variant.make(trained.subject, trained.material, file)
            found[name] = (known, file, variant.load(trained.subject, file, 1))
    return found


@pytest.fixture(scope="module")
def predictions(made, trained):
    logits = {name: one for name, (_, _, one) in made.items()}
    table = predict_all(logits, trained.subject, trained.material.table)
    return {name: rows.set_index("image_id") for name, rows in table.groupby("variant")}


def test_the_network_has_learned_something(predictions):
    original = predictions["original"]
    assert (original["label"] == original["prediction"]).mean() > 0.9


@pytest.mark.parametrize("name", variant_names())
def test_a_variant_takes_any_number_of_images(name, made, trained):
    timing.require_any_batch(made[name][2], trained.subject)


@pytest.mark.parametrize("name", NEAR)
def test_a_variant_predicts_about_what_the_original_predicts(name, predictions):
    original, own = (np.stack(predictions[one]["probability"]) for one in ("original", name))
    assert np.abs(original - own).max() <= NEAR[name]


@pytest.mark.parametrize("name", variant_names())
def test_every_test_image_is_predicted_once(name, predictions):
    rows = predictions[name]
    assert len(rows) == 60 and rows.index.is_unique
    assert (rows["label"] == predictions["original"]["label"]).all()


def test_int8_is_computed_with_integers_and_a_quarter_of_the_bytes(made):
    float32, bytes_of = made["onnx_fp32"][0], {name: file.stat().st_size for name, (_, file, _) in made.items()}
    assert (float32.int8_layers, float32.layers) == (None, 5)
    for name in ("onnx_int8", "torchao_int8"):
        assert (made[name][0].int8_layers, made[name][0].layers) == (5, 5)
        assert made[name][0].facts["calibration_images"] == 32
    assert bytes_of["onnx_int8"] < 0.35 * bytes_of["onnx_fp32"]
    assert made["dynamic_int8"][0].int8_layers == 3  # the linear layers


def test_bf16_has_half_the_bytes(made):
    assert made["bf16"][1].stat().st_size < 0.6 * made["original"][1].stat().st_size


def test_structured_pruning_removes_weights_and_operations_and_keeps_the_accuracy(made, predictions):
    original, pruned = made["original"][0], made["structured_pruning"][0]
    assert pruned.parameters < 0.6 * original.parameters and pruned.flops < 0.7 * original.flops
    assert made["structured_pruning"][1].stat().st_size < 0.7 * made["onnx_fp32"][1].stat().st_size
    assert pruned.facts["last_loss"] < pruned.facts["first_loss"] and pruned.facts["images"] == 96
    rows = predictions["structured_pruning"]
    assert (rows["label"] == rows["prediction"]).mean() > 0.8


def test_masks_leave_bytes_and_operations_as_they_are(made):
    original, masked = made["original"], made["unstructured_pruning"]
    assert masked[0].facts["zeros"] >= 0.45 * original[0].parameters
    assert (masked[0].parameters, masked[0].flops) == (original[0].parameters, original[0].flops)
    assert abs(masked[1].stat().st_size - original[1].stat().st_size) < 2000
    assert create_variant("unstructured_pruning").hollow and create_variant("dynamic_int8").hollow


def test_operations_are_counted_without_a_word_of_libraries(trained, monkeypatch):
    said = []
    monkeypatch.delitem(sys.modules, "torch.utils.flop_counter", raising=False)
    monkeypatch.setattr(logging.Logger, "callHandlers", lambda logger, record: said.append(record.getMessage()))
    assert flops_of(trained.subject.build(), trained.subject) > 0
    assert "torch.utils.flop_counter" in sys.modules and said == []


def test_nothing_quantised_is_an_error(trained, tmp_path, monkeypatch):
    from cifar_pipelines.compression import onnx_files

    monkeypatch.setattr(onnx_files, "INT8_LAYERS", {"NoSuchLayer"})
    with pytest.raises(UserError, match="Nothing was quantised: none of its 0 layers"):
        create_variant("onnx_int8").make(trained.subject, trained.material, tmp_path / "q.onnx")


class Residual(nn.Module):
    """Two layers read the output of the first."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, padding=1), nn.Linear(8, 3)

    def forward(self, images):
        once = self.first(images).relu()
        return self.head((once + self.second(once)).relu().mean((2, 3)))


@pytest.mark.parametrize(("activations", "int8"), [("uint8", 3), ("int8", 1)])
@pytest.mark.skipif(platform.machine() != "x86_64", reason="other CPUs multiply signed activations")
def test_layers_of_residual_blocks_are_integers_where_activations_have_no_sign(activations, int8, trained, tmp_path):
    torch.manual_seed(0)
    module = Residual().eval()
    subject = Subject(lambda: module, Square(SIZE), ("a", "b", "c"), normalise, learned_from=unchanged)
    variant = create_variant("onnx_int8", {"activations": activations})
    made = variant.make(subject, trained.material, tmp_path / "q.onnx")
    assert (made.int8_layers, made.layers) == (int8, 3)
    images = subject.example(4)
    logits = variant.load(subject, tmp_path / "q.onnx", 1)(images)
    assert (logits - module(images)).abs().max() < 0.05


def test_a_padding_in_words_is_quantised_too(trained, tmp_path):
    assert create_variant("torchao_int8").make(small(), trained.material, tmp_path / "q.pt2").int8_layers == 2


def test_a_loss_that_is_not_finite_after_pruning_names_the_learning_rate(trained, tmp_path):
    variant = create_variant("structured_pruning", OPTIONS["structured_pruning"] | {"learning_rate": 1e30})
    with pytest.raises(UserError, match=r"loss is not finite.*1e\+30"):
        variant.make(trained.subject, trained.material, tmp_path / "p.onnx")


def test_no_compiler_is_a_sentence(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    assert "install g++" in create_variant("torchao_int8").obstacle()
    assert create_variant("onnx_int8").obstacle() is None


def test_a_library_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr("cifar_pipelines.common.extras.find_spec", lambda name: None)
    with pytest.raises(
        UserError,
        match=r"'onnx_int8' needs onnx, onnxscript, onnxruntime, which are not installed. Run `make install-extras`, or leave it",
    ):
        create_variant("onnx_int8")
    assert create_variant("bf16")


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("int4", {}, "Unknown variant 'int4'. Known: bf16, "),
        ("onxx_int8", {}, "Unknown variant 'onxx_int8'. Did you mean 'onnx_int8'"),
        ("bf16", {"share": 1}, "Unknown option 'share': the variant 'bf16' has none"),
        ("onnx_int8", {"activations": "int4"}, "activations is 'int4', but must be one of uint8, int8"),
        ("unstructured_pruning", {"share": 1.0}, "unstructured_pruning.share is 1.0, but must be above 0 and below 1"),
        ("structured_pruning", {"channels": 0.0}, "channels is 0.0, but must be above 0"),
        ("structured_pruning", {"epochs": -1}, "epochs of structured_pruning is -1, but must be a whole number"),
        ("structured_pruning", {"batch_size": 1}, "batch_size of structured_pruning is 1"),
        ("structured_pruning", {"learning_rate": 0.0}, "learning_rate is 0.0, but must be above 0"),
    ],
)
def test_wrong_names_and_options_are_refused(name, options, said):
    with pytest.raises(UserError, match=said):
        create_variant(name, options)


def test_a_file_frozen_at_one_size_is_refused(trained):
    frozen = lambda images: torch.zeros(1, 3)  # noqa: E731
    with pytest.raises(UserError, match=r"Of 32 images it makes no finite logits of the shape \(32, 3\)"):
        timing.require_any_batch(frozen, trained.subject)


def test_what_is_no_network_is_refused(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"no network")
    with pytest.raises(UserError, match="cannot be read as a network"):
        load_subject(tmp_path / "a.pt")


def test_mirrored_prediction_is_told_of(tmp_path):
    file = save_network(tmp_path / "a.pt", training={"recipe": {"flip_at_test": True}})
    assert "over 2 views of an image" in load_subject(file).notes[0]
    assert load_subject(save_network(tmp_path / "b.pt")).notes == ()


def test_calibration_sees_the_first_training_images_alone(trained):
    batches = trained.material.calibration(trained.subject)
    assert [len(batch) for batch in batches] == [32] and batches[0].shape[1:] == (3, SIZE, SIZE)
    ids = [one for ids, *_ in trained.material.table.batches("train", 32) for one in ids]
    assert sorted(ids) == [f"train-{rank:05d}" for rank in range(32)]


def test_variants_are_timed_in_turn():
    order = []
    calls = {name: lambda images, name=name: order.append(name) for name in "ab"}
    taken = timing.time_in_turn(calls, torch.zeros(2, 3), warm_up=1, seconds=0.0)
    turn = timing.LEAST_CALLS + 1
    assert order == (["a"] * turn + ["b"] * turn) * timing.ROUNDS
    assert taken["a"].calls == timing.LEAST_CALLS * timing.ROUNDS and taken["a"].batch == 2
    assert 0 < taken["a"].p50_ms <= taken["a"].p95_ms


def test_threads_are_set_and_put_back():
    with timing.torch_threads(2):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 1


def test_an_obstacle_is_found_by_looking(monkeypatch):
    monkeypatch.setattr("torch._inductor.cpp_builder.get_cpp_compiler", lambda: "g++")
    assert compiling.obstacle() is None


def test_a_transferred_network_is_seen_as_its_weights_expect(tmp_path):
    from cifar_pipelines.backbones import create_backbone
    from cifar_pipelines.training.transferred_network import TransferredNetwork

    backbone = create_backbone("timm:test_efficientnet")
    spec, module = backbone.input_spec("none", 16), backbone.build(3).eval()
    names = ("a", "b", "c")
    network = TransferredNetwork(backbone.name, spec, module.state_dict(), names, {"flip_at_test": True})
    torch.save(network.as_dict(), tmp_path / "network.pt")
    subject = load_subject(tmp_path / "network.pt")
    images = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    assert torch.equal(subject.normalise(images), spec.prepare(images))
    assert subject.square == spec.square and subject.class_names == names and "2 views" in subject.notes[0]
    with torch.inference_mode():
        assert torch.equal(subject.build()(spec.prepare(images)), module(spec.prepare(images)))


def test_their_options_are_checked_without_torch_which_every_run_would_wait_for(run_python):
    code = """
    import sys
    from cifar_pipelines.compression.variants import create_variant, variant_names
    print(len([create_variant(name) for name in variant_names()]), "torch" in sys.modules)
    """
    assert run_python(code).split() == [str(len(variant_names())), "False"]
