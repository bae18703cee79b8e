import torch

from cifar_pipelines.training.device import CPU, called


def test_a_device_draws_as_after_torchs_own_seed_and_takes_no_note_of_it():
    torch.manual_seed(2**62 + 7)
    expected, noted = torch.rand(5), len(torch.cuda._queued_calls)
    CPU.seed(2**62 + 7)
    assert torch.equal(torch.rand(5), expected) and len(torch.cuda._queued_calls) == noted


def test_a_device_is_called_by_the_name_of_its_card(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"card {device.index}")
    assert [called(torch.device(name)) for name in ("cpu", "cuda:1")] == ["CPU", "card 1"]
