"""The plots of the comparison: every function with the decorator `comparison_plot` in a module `of_<subject>` is one."""

import importlib
import pkgutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = TypeVar("Draw", bound="Callable[..., Figure]")


@dataclass(frozen=True)
class ComparisonPlot:
    """A plot over all that was compared.

    Attributes:
        name: Its name, which is that of its file.
        caption: What is to be seen.
        section: Key of the section of the report that it belongs to; see docs/adding_a_plot.md.
        inputs: The datasets that it is drawn from, in the order of the function's arguments.
        draw: The function.
    """

    name: str
    caption: str
    section: str
    inputs: tuple[str, ...]
    draw: "Callable[..., Figure]"

    @property
    def dataset(self) -> str:
        """The dataset that it is saved by."""
        return f"comparison_{self.name}_plot"

    @property
    def file(self) -> str:
        """Its file, beside the report."""
        return f"{self.name}.png"


def comparison_plot(
    name: str, caption: str, section: str, inputs: Sequence[str] = ("study_table",)
) -> Callable[[Draw], Draw]:
    """Makes a function that draws a figure a plot of the comparison; see `ComparisonPlot`."""

    def mark(draw: Draw) -> Draw:
        draw.comparison_plot = ComparisonPlot(name, caption, section, tuple(inputs), draw)
        return draw

    return mark


def comparison_plots() -> list[ComparisonPlot]:
    """All plots of the comparison, in the order of modules and of functions in them."""
    package = sys.modules[__package__]
    names = [module.name for module in pkgutil.iter_modules(package.__path__) if module.name.startswith("of_")]
    modules = [importlib.import_module(f"{__package__}.{name}") for name in names]
    return [
        function.comparison_plot
        for module in modules
        for function in vars(module).values()
        if getattr(function, "__module__", None) == module.__name__ and hasattr(function, "comparison_plot")
    ]
