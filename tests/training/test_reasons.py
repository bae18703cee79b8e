"""What a worker leaves when it cannot go on: an error in code is the end, a lost worker is not."""

import pytest
import torch.distributed as dist

from cifar_pipelines.training.checkpoint import Checkpoint
from cifar_pipelines.training.worker import leave_reason


@pytest.fixture
def checkpoint(tmp_path):
    checkpoint = Checkpoint(tmp_path / "checkpoint")
    checkpoint.begin({})
    return checkpoint


@pytest.mark.parametrize("error", [KeyError("nothing"), RuntimeError("mat1 and mat2 shapes cannot be multiplied")])
def test_an_error_in_code_is_left_once_with_its_type(checkpoint, error):
    assert leave_reason(checkpoint, error)
    assert checkpoint.failure().startswith(f"{type(error).__name__}: ")
    assert leave_reason(checkpoint, ValueError("of a worker that missed the first"))
    assert "ValueError" not in checkpoint.failure()


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:1"),
        ConnectionResetError(104, "reset"),
        dist.DistNetworkError("The client socket has timed out"),
        RuntimeError("Broken pipe"),
    ],
)
def test_a_lost_worker_may_come_back(checkpoint, error):
    assert not leave_reason(checkpoint, error)
    assert checkpoint.failure() is None
