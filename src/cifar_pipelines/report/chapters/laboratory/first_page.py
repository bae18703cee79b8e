"""Page 1: the answer, the plot that shows it, and which study it is about."""

from cifar_pipelines.report.content import Content
from cifar_pipelines.report.document.blocks import Blocks, Paragraph, say, strong

KEY_PLOT = "all_models"  # the section whose first plot shows the answer


def first_page(content: Content) -> Blocks:
    """The answer of the main study with its plot, and which study that is."""
    answered = content.study.answer.blocks
    return (*answered, *content.figures.get(KEY_PLOT, ())[:1], _about(content))


def _about(content: Content) -> Paragraph:
    """Which study this is about, and that others follow."""
    others = len(content.others)
    after = (
        f"; {others} other {'study follows' if others == 1 else 'studies follow'} in a part of their own"
        if others
        else ""
    )
    return say("The study: ", strong(content.study.title), f"{after}.")
