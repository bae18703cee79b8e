"""Batch normalisations folded into the convolutions before them: the same numbers with half of the passes over memory."""

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def fold_batch_norms(
    network: "nn.Module", convolutions: Collection[type], leaves: Collection[type] = (), functions: Collection = ()
) -> "nn.Module":
    """Folds every batch normalisation into the convolution that feeds it and nothing else.

    Args:
        network: A network in evaluation mode; it stays as it is.
        convolutions: The very types that may be folded into; a subclass may compute its weights anew in every pass.
        leaves: Types of modules that are called as they are, because they cannot be traced.
        functions: Functions of that kind.

    Returns:
        A network for evaluation alone.
    """
    from torch import fx, nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    class Tracer(fx.Tracer):
        def is_leaf_module(self, module: nn.Module, name: str) -> bool:
            return type(module) in leaves or super().is_leaf_module(module, name)

    tracer = Tracer(autowrap_functions=tuple(functions))
    graph = tracer.trace(network)
    traced = fx.GraphModule(network, graph)
    modules = dict(traced.named_modules())
    for node in list(graph.nodes):
        if node.op != "call_module" or not isinstance(norm := modules[node.target], nn.BatchNorm2d):
            continue
        source = node.args[0]
        if source.op != "call_module" or len(source.users) > 1 or type(modules[source.target]) not in convolutions:
            continue
        if not norm.track_running_stats:
            continue
        traced.set_submodule(source.target, fuse_conv_bn_eval(modules[source.target], norm))
        traced.set_submodule(node.target, _rest_of(norm))
    traced.recompile()
    return traced


def _rest_of(norm: "nn.BatchNorm2d") -> "nn.Module":
    """What a normalisation does beside normalising: timm's hold the activation that follows."""
    from torch import nn

    return nn.Sequential(*(getattr(norm, name) for name in ("drop", "act") if hasattr(norm, name)))
