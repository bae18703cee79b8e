import pytest
import torch

from cifar_pipelines.common import package_files
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.training import device, gpu_libraries

REMOVED = {
    "nvidia/cudnn/lib/libcudnn_graph.so.9", "nvidia/cudnn/lib/libcudnn_engines_precompiled.so.9",
    "nvidia/cudnn/include/cudnn.h", "nvidia/nvshmem/lib/libnvshmem_device_sm_90.bc",
    "nvidia/nvshmem/lib/nvshmem_transport_ibrc.so.6", "nvidia/nvshmem/lib/libnvshmem_device.a",
    "nvidia/cu13/lib/libnvperf_host.so", "nvidia/cu13/lib/libcudart_static.a",
}  # fmt: skip
KEPT = {
    "nvidia/cudnn/lib/libcudnn.so.9", "nvidia/nvshmem/lib/libnvshmem_host.so.3", "nvidia/cu13/lib/libcublasLt.so.13",
    "nvidia/cu13/lib/libcudart.so.13", "nvidia/cu13/lib/libnvrtc.so.13", "nvidia/nccl/lib/libnccl.so.2",
}  # fmt: skip


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """An installed package of NVIDIA, and one of somebody else with a file of such a name."""
    for name, files in {"nvidia-all": REMOVED | KEPT, "other": {"nvidia/other/lib/other.a"}}.items():
        record = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info" / "RECORD"
        record.parent.mkdir()
        record.write_text("".join(f"{file},sha256=x,3\n" for file in files))
        (record.parent / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        for file in files:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_bytes(b"123")
    found = package_files.distributions
    monkeypatch.setattr(package_files, "distributions", lambda: found(path=[str(tmp_path)]))
    return tmp_path


def test_what_only_a_card_loads_is_removed_and_nothing_else(packages):
    assert package_files.remove(gpu_libraries.files()) == 3 * len(REMOVED)
    assert package_files.remove(gpu_libraries.files()) == 0
    left = {file.relative_to(packages).as_posix() for file in (packages / "nvidia").rglob("*") if file.is_file()}
    assert left == KEPT | {"nvidia/other/lib/other.a"}


def test_a_card_without_its_libraries_is_told_with_the_remedy(packages, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert device.cards() == 1
    (packages / "nvidia/cudnn/include/cudnn.h").unlink()
    assert device.settle_device("auto", 1)
    package_files.remove(gpu_libraries.files())
    with pytest.raises(UserError, match=r"4 libraries of CUDA that cards need are missing.*make install GPU=1"):
        device.settle_device("auto", 1)
    assert device.settle_device("cpu", 1) is False
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.cards() == 0


def test_without_packages_of_nvidia_nothing_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(package_files, "distributions", list)
    gpu_libraries.require_libraries()
    assert gpu_libraries.files() == []
