"""The end of the report: transferred networks, deployment, what no answer showed, other studies, what was left out, versions, sources."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from cifar_pipelines.common.words import counted
from cifar_pipelines.report.chapters.laboratory.transferred import TRANSFERRED, transferred_networks
from cifar_pipelines.report.commands import run
from cifar_pipelines.report.content import Content
from cifar_pipelines.report.document.blocks import Block, Blocks, Figure, Section, say, table, walk
from cifar_pipelines.report.sections.about import left_out, reading, sources
from cifar_pipelines.report.sections.stream import stream_figures
from cifar_pipelines.report.sections.verdict import ALL_BUT_FIT_TIME, verdict_section
from cifar_pipelines.report.studies import Study

STREAMING = "streaming"


def further(content: Content, shown: Iterable[Block]) -> Blocks:
    """What the comparison found beside what is shown already: sections by key, plots by name."""
    seen = list(walk(shown))
    keys = {block.key for block in seen if isinstance(block, Section)}
    names = {block.name for block in seen if isinstance(block, Figure)}
    sections = {**content.study.sections, **content.sections}
    figures = [figure for part in content.figures.values() for figure in part if isinstance(figure, Figure)]
    return (
        *(section for key, section in sections.items() if key not in keys),
        *(figure for figure in figures if figure.name not in names),
    )


def other_studies(content: Content) -> Section:
    """The other studies, each in short."""
    introduction = say(
        f"The main text is about the study with the most measurements ({counted(len(content.study.rows), 'row')} of model and setting): "
        f"{content.study.title}. No table mixes studies, but for the one on more training images. "
        "These differ from the main text in data, sizes, seed, host or cluster, so nothing here is ranked against "
        "it. Each is told in short; all of it is in report.md and comparison.csv beside this report."
    )
    return Section("others", "Other studies", (introduction, *map(_in_short, content.others)))


def _in_short(study: Study) -> Section:
    picked = [study.sections[key] for key in ("scores", "times") if key in study.sections]
    return Section("study", study.title, (verdict_section(study.verdict, ALL_BUT_FIT_TIME), *picked))


def versions(content: Content) -> Section:
    """Versions, host and code."""
    newest = content.study.newest
    parallelism = newest["raw"].parallelism
    hosts = parallelism.effective and parallelism.effective.hosts
    facts = [
        ("code revision", newest["git_revision"]),
        ("host cores", newest["host_cores"]),
        ("cluster", newest["cluster"]),
        ("hosts of the executors", ", ".join(hosts or ()) or None),
        ("application", parallelism.application_id),
        ("log folder", parallelism.log_dir),
    ]
    blocks = (say(f"The newest run of this study, {newest['run_id']}:"), table(["", ""], facts))
    return Section("versions", "Versions, host and code", (*content.study.sections["versions"].blocks, *blocks))


def _streams(content: Content) -> Iterator[Section]:
    """Learners on a stream, with their plots, where there are some."""
    study = content.study
    if section := study.sections.get("stream"):
        yield replace(
            section, blocks=(*section.blocks, *stream_figures(study.records, content.reporting, run(study, STREAMING)))
        )


def end_of(content: Content, answers: Blocks) -> Blocks:
    """What follows the answers."""
    parts = tuple(
        Section(key, title, blocks)
        for key, title, blocks in (
            ("transferred", TRANSFERRED, transferred_networks(content)),
            ("deployed", "Deployment", content.section("deployment")),
            ("competition", "Competition", content.section("ensembles")),
        )
        if blocks
    )
    parts += tuple(_streams(content))
    appendix = (left_out(content.left_out), reading(), versions(content), sources(content.records))
    rest = further(content, answers + parts + appendix)
    findings = (Section("further", "Further findings of the comparison", rest),) if rest else ()
    return (*parts, *findings, *((other_studies(content),) if content.others else ()), *appendix)
