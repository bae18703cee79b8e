"""The chapter that tells all that the comparison found, study by study."""

from cifar_pipelines.report.content import Content
from cifar_pipelines.report.document.blocks import Block, Document, Section, Span, say
from cifar_pipelines.report.sections.about import identity, left_out, reading, sources
from cifar_pipelines.report.sections.verdict import verdict_section

TITLE = "Which model and which parallelism setting did best, and why"


def tell_every_study(content: Content) -> Document:
    """Tells each study with all its sections, then what is said over all studies, the plots and the appendix."""
    lead: tuple[Block, ...] = ()
    if (n_studies := len(content.studies)) > 1:
        lead = (
            say(
                f"These are {n_studies} separate studies: they differ in data, sizes, seed, host or cluster. No ranking "
                "mixes them."
            ),
        )
    studies = [
        Section("study", study.title, (identity(study.rows), verdict_section(study.verdict), *study.sections.values()))
        for study in content.studies
    ]
    whose = (say(f"They show the study with the most measurements: {content.study.title}."),) if n_studies > 1 else ()
    figures = (figure for part in content.figures.values() for figure in part)
    plots = Section("plots", "Plots", (*whose, *figures))
    marks = say(
        "Every place is marked in the code and listed in ",
        Span("docs/parallelism.md", target="docs/parallelism.md"),
        ".",
    )
    blocks = [
        *studies,
        *content.sections.values(),
        plots,
        left_out(content.left_out),
        Section("parallelism", "Where parallelism is used", (marks,)),
        reading(),
        sources(content.records),
    ]
    return Document(TITLE, f"{content.records['created'].max():%Y-%m-%d}", tuple(blocks), lead)
