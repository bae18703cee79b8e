"""The end of the report: what no answer showed, other studies, what was left out, versions, sources."""

from collections.abc import Iterable

from cifar_pipelines.common.words import counted
from cifar_pipelines.report.content import Content
from cifar_pipelines.report.document.blocks import Block, Blocks, Figure, Section, say, strong, table, walk
from cifar_pipelines.report.sections.about import left_out, reading, sources
from cifar_pipelines.report.sections.verdict import ALL_BUT_FIT_TIME, verdict_section
from cifar_pipelines.report.studies import Study


def about(content: Content) -> Blocks:
    """What stands before the table of contents."""
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
    return (
        say(made, what, strong(study.title), after),
        say("References such as [r1] name run records; the last section says in which files they are."),
    )


def further(content: Content, shown: Iterable[Block]) -> Blocks:
    """What the comparison found beside what is shown already: sections by key, plots by name."""
    seen = list(walk(shown))
    keys = {block.key for block in seen if isinstance(block, Section)}
    names = {block.name for block in seen if isinstance(block, Figure)}
    sections = {**content.study.sections, **content.sections}
    figures = [figure for part in content.figures.values() for figure in part]
    return (
        *(section for key, section in sections.items() if key not in keys),
        *(figure for figure in figures if figure.name not in names),
    )


def other_studies(content: Content) -> Section:
    """The other studies, each in short."""
    introduction = say(
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


def end_of(content: Content, answers: Blocks) -> Blocks:
    """What follows the answers."""
    appendix = (left_out(content.left_out), reading(), versions(content), sources(content.records))
    rest = further(content, answers + appendix)
    findings = (Section("further", "Further findings of the comparison", rest),) if rest else ()
    return (*findings, *((other_studies(content),) if content.others else ()), *appendix)
