"""Page 1: the answer, the plot that shows it, and what the report was made of."""

from cifar_pipelines.common.words import counted
from cifar_pipelines.report.content import Content
from cifar_pipelines.report.document.blocks import Blocks, say, strong

KEY_PLOT = "all_models"  # the section whose first plot shows the answer


def first_page(content: Content) -> Blocks:
    """The answer of the main study with its plot, and what it rests on."""
    answered = content.study.answer.blocks
    return (*answered, *content.figures.get(KEY_PLOT, ())[:1], *_made_of(content))


def _made_of(content: Content) -> Blocks:
    """Which study this is about, and what the rest is."""
    study, records = content.study, content.records
    used, others = int(records["label"].notna().sum()), len(content.others)
    made = (
        f"Made from {counted(len(records), 'run record')}, {used} of them in the tables; the newest is of "
        f"{records['created'].max():%Y-%m-%d %H:%M} UTC. "
    )
    what, after = "All of them belong to one study: ", "."
    if others:
        what = (
            f"The main text is about the study with the most measurements ({len(study.rows)} rows of model and "
            "setting): "
        )
        after = (
            f". {others} other {'study follows' if others == 1 else 'studies follow'} in a part of "
            f"{'its' if others == 1 else 'their'} own; no table mixes them, but for the one on more training images."
        )
    references = " References such as [r1] name run records; the last section says in which files they are."
    return (say(made, what, strong(study.title), after, references),)
