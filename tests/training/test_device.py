from types import SimpleNamespace

import pytest
import torch

from cifar_pipelines.training import device
from cifar_pipelines.training.device import CPU, Device, called, card_memory_mb, settle_device
from cifar_pipelines.training.phase_job import _prepared


class Batch:
    """Notes what is done to it."""

    def __init__(self):
        self.done = []

    def pin_memory(self):
        self.done.append("pinned")
        return self

    def to(self, name, non_blocking):
        self.done.append((name, non_blocking))
        return self


@pytest.mark.parametrize(
    ("where", "done"),
    [
        (CPU, [("cpu", True)]),
        (Device("cuda:1", "nccl"), ["pinned", ("cuda:1", True)]),
        (Device("cuda:1", "nccl", pins=False), [("cuda:1", True)]),
    ],
)
def test_batches_are_pinned_on_their_way_to_a_card_whoever_loads_them(where, done):
    assert _prepared(SimpleNamespace(prepare=lambda images: images), where, Batch()).done == done


def test_a_batch_for_the_cpu_is_not_copied():
    batch = torch.zeros(2)
    assert CPU.take(batch) is batch


@pytest.mark.parametrize(
    ("cards", "workers", "on_cards", "said"), [(1, 2, False, True), (0, 2, False, False), (2, 2, True, False)]
)
def test_too_few_cards_for_auto_are_told(cards, workers, on_cards, said, monkeypatch, caplog):
    monkeypatch.setattr(device, "cards", lambda: cards)
    assert settle_device("auto", workers) is on_cards
    assert (
        "device auto takes the CPU: torch sees 1 cards on this host and the setting has 2 workers" in caplog.text
    ) is said


def test_a_device_draws_as_after_torchs_own_seed_and_takes_no_note_of_it():
    torch.manual_seed(2**62 + 7)
    expected, noted = torch.rand(5), len(torch.cuda._queued_calls)
    CPU.seed(2**62 + 7)
    assert torch.equal(torch.rand(5), expected) and len(torch.cuda._queued_calls) == noted


def test_a_device_is_called_by_the_name_of_its_card(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"card {device.index}")
    assert [called(torch.device(name)) for name in ("cpu", "cuda:1")] == ["CPU", "card 1"]


def test_the_most_memory_on_a_card_is_told_and_the_cpu_has_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: (device.index + 1) * 3 * 2**20)
    assert [card_memory_mb(torch.device(name)) for name in ("cpu", "cuda:0", "cuda:1")] == [None, 3.0, 6.0]
