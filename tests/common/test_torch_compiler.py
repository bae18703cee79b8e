import subprocess
import sys
import textwrap

import pytest

# A torch whose compiler says when it is imported.
FAKE = {
    "__init__.py": """
        import importlib
        def __getattr__(name):
            if name == "_dynamo":
                return importlib.import_module("torch._dynamo")
            raise AttributeError(name)
    """,
    "_dynamo/__init__.py": """
        print("imported")
        import torch
        from . import config, decorators, utils, trace_rules
        from .decorators import disable
        torch._dynamo.decorators.known.append(torch._dynamo.config)
        answer = 42
    """,
    "_dynamo/config.py": "",
    "_dynamo/decorators.py": "known = []\ndisable = print",
    "_dynamo/utils.py": "from . import config\nis_compile_supported = str.isalpha\ncounters = {}",
    "_dynamo/trace_rules.py": "clear_lru_cache, others = print, ()",
}
ASKED = """
import sys
import cifar_pipelines
import torch, torch._dynamo
from torch._dynamo.utils import is_compile_supported, get_optimize_ddp_mode
def function():
    return "as it was"
for disabled in (torch._dynamo.disable(function, True, wrapping=False), torch._dynamo.disable(recursive=False)(function)):
    assert disabled() == "as it was"
torch._dynamo.graph_break()
torch._dynamo.trace_rules.clear_lru_cache()
assert get_optimize_ddp_mode() == "ddp_optimizer"
print("not yet", hasattr(torch._dynamo, "__file__"))
"""


@pytest.fixture
def fake_torch(tmp_path):
    for name, code in FAKE.items():
        path = tmp_path / "torch" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(textwrap.dedent(code))
    return tmp_path


def run(code, folder=None):
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}" if folder else code
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize(
    "wanted",
    [
        "assert torch._dynamo.answer == 42",
        "from torch._dynamo import answer; assert answer == 42",
        "from torch._dynamo.utils import counters; assert counters is torch._dynamo.utils.counters",
        "import torch._dynamo.config as config; assert config is torch._dynamo.config is sys.modules['torch._dynamo.config']",
        "from torch._dynamo.decorators import known; assert known == [torch._dynamo.config], (known, torch._dynamo.config)",
        "assert torch._dynamo.trace_rules.others == ()",
        "assert is_compile_supported('cpu')",
    ],
)
def test_it_is_imported_whole_when_more_of_it_is_wanted(fake_torch, wanted):
    whole = (
        "assert torch._dynamo.__spec__.origin and torch._dynamo.config.__spec__.origin == torch._dynamo.config.__file__"
    )
    same = "assert torch._dynamo.disable is print and sys.modules['torch._dynamo'] is torch._dynamo"
    assert run("\n".join((ASKED, wanted, whole, same)), fake_torch) == ["not yet False", "imported"]


def test_it_stays_away_where_nothing_is_compiled(fake_torch):
    assert run(ASKED, fake_torch) == ["not yet False"]


def test_one_that_is_imported_already_is_left_alone(fake_torch):
    code = "import torch._dynamo, cifar_pipelines\nprint(torch._dynamo.answer, sys.modules['torch._dynamo'] is torch._dynamo)"
    assert run(code, fake_torch) == ["imported", "42 True"]


TRAINED = """
import sys
import cifar_pipelines
import torch, torchvision, timm
import torch.distributed as dist
from cifar_pipelines.backbones import create_backbone
from torch.nn.parallel import DistributedDataParallel
dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
network = DistributedDataParallel(torch.nn.Linear(3, 2))
for kind in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW):
    optimiser = kind(network.parameters(), lr=0.1)
    optimiser.zero_grad()
    network(torch.ones(4, 3)).sum().backward()
    optimiser.step()
    optimiser.load_state_dict(optimiser.state_dict())
dist.destroy_process_group()
for name in ("torchvision:mobilenet_v2", "torchvision:resnet18", "timm:tf_efficientnet_lite0"):
    assert create_backbone(name).stages()
print("sympy" in sys.modules)
print(torch.compile(lambda number: number * 2, backend="eager")(torch.ones(1)).item(), "sympy" in sys.modules)
"""


def test_networks_are_described_and_trained_without_it_and_compiled_with_it():
    assert run(TRAINED) == ["False", "2.0 True"]
