import json
import subprocess

import pytest
from tests.factories.records import make_record

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.records import provenance
from cifar_pipelines.spark.run_file import write_run_file
from cifar_pipelines.submission.bundle import check_bundle, write_bundle
from cifar_pipelines.submission.contents import collect, is_code
from cifar_pipelines.submission.records import SubmissionRecord

RUN = "roll-2024-01-02T03.04.05.678Z-exec_2x1"
EXECUTOR = "/".join(["logs", RUN, "work", "app-1", "0"])  # where Spark's Worker puts an executor's files


@pytest.fixture
def project(tmp_path):
    """A small project in which one run was submitted."""
    folder = tmp_path / "project"
    reporting = folder / "data/08_reporting"
    for file, text in {
        "src/package/code.py": "x = 1\n",
        "src/package/__pycache__/code.pyc": "",
        "conf/base/globals.yml": "seed: 1\n",
        "conf/local/credentials.yml": "mine: 1\n",
        "data/04_feature/table.parquet": "data",
        ".venv/lib/module.py": "",
        "README.md": "# Read\n",
        f"logs/{RUN}/run.log": "done\n",
        f"logs/{RUN}/event_log/app-1": "{}\n",
        f"{EXECUTOR}/stderr": "",
        f"{EXECUTOR}/cifar_pipelines.zip": "",
        "logs/roll-2-2024-01-02T03.04.05.678Z-exec_2x1/run.log": "another's",
    }.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
    for file, text in {
        "comparison/report.md": "# Report",
        "comparison/speedup.png": "plot",
        "synthetic/samples.png": "images",
    }.items():
        (reporting / file).parent.mkdir(parents=True, exist_ok=True)
        (reporting / file).write_text(text)
    for model, run in (("a", RUN), ("b", "other")):
        record = reporting / f"run_records/exec_2x1/{model}.json/v/{model}.json"
        record.parent.mkdir(parents=True)
        made = make_record(
            model, created="2024-01-01T00:00:00Z", parallelism={"log_dir": f"logs/{run}"}, git_revision=None
        )
        record.write_text(json.dumps(made))
    return folder


def submitted(project, revision):
    log = project / "logs/roll/2024-01-02T03.04.04.000Z/submit.log"
    log.parent.mkdir(parents=True)
    log.write_text("$ kedro run\n")
    path = log.relative_to(project).as_posix()
    SubmissionRecord(
        *("roll", log.parent.name, "spark://a:1", [], None, "", ["kedro", "run"], revision, path, "host", 1),
        started="2025",
    ).write(project)


def git(project, *arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *arguments], cwd=project, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def commit(project):
    (project / ".gitignore").write_text("data/\nlogs/\n.venv/\nconf/local/\n__pycache__/\n")
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "first")
    return git(project, "rev-parse", "HEAD")


LOGS_AND_REPORTS = {
    *(f"logs/{RUN}/run.log", f"logs/{RUN}/event_log/app-1", f"{EXECUTOR}/stderr"),
    *("reports/comparison/report.md", "reports/comparison/speedup.png", "run_records/exec_2x1/a.json/v/a.json"),
}
SUBMITTED = {f"logs/roll/2024-01-02T03.04.04.000Z/{name}" for name in ("submit.log", "submission.json")}


def test_outside_of_git_the_folders_of_the_project_stand_for_the_code(project):
    contents = collect(project, "roll")
    code = {f"code/no_git/{name}" for name in ("src/package/code.py", "conf/base/globals.yml", "README.md")}
    assert set(contents.sources) == LOGS_AND_REPORTS | code
    assert "as they are now" in contents.notes[0]
    assert contents.notes[1] == "conf/local is never in a bundle; it holds now: credentials.yml."


def test_a_commit_is_packed_as_it_was_when_it_ran(project, commit):
    submitted(project, commit)
    (project / "src/package/code.py").write_text("x = 2\n")
    contents = collect(project, "roll")
    code = f"code/{commit[:12]}"
    names = (".gitignore", "README.md", "conf/base/globals.yml", "src/package/code.py")
    assert set(contents.sources) == LOGS_AND_REPORTS | SUBMITTED | {f"{code}/{name}" for name in names}
    assert contents.sources[f"{code}/src/package/code.py"] == b"x = 1\n"
    assert contents.facts["git_revision"] == commit and "exactly the commit" in contents.notes[0]
    output = project / "bundle.zip"
    write_bundle(contents.sources, contents.facts, output, {})
    assert check_bundle(output)["run_name"] == "roll"


def test_changes_are_packed_with_their_diff(project, commit):
    submitted(project, f"{commit}+changes")
    (project / "src/package/code.py").write_text("x = 2\n")
    contents = collect(project, "roll")
    code = f"code/{commit[:12]}+changes"
    assert contents.sources[f"{code}/src/package/code.py"].read_text() == "x = 2\n"
    assert b"+x = 2" in contents.sources[f"{code}.diff"]
    assert "changes that no commit holds" in contents.notes[0]


NEW = ("src/package/new.py", "conf/exec_6x3/globals.yml")


@pytest.fixture
def new_code(project, commit):
    """A classifier and a setting that git does not track yet, beside what it ignores or what is no code."""
    for name in (*NEW, "conf/local/mine.yml", "src/package/__pycache__/new.pyc", "notes.txt"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("new = 1\n")


def test_new_code_that_git_does_not_track_yet_is_packed_and_stands_in_the_diff(project, commit, new_code):
    submitted(project, f"{commit}+changes")
    staged = git(project, "status", "--porcelain")
    contents = collect(project, "roll")
    code = f"code/{commit[:12]}+changes"
    names = (".gitignore", "README.md", "conf/base/globals.yml", "src/package/code.py", *NEW)
    assert {name for name in contents.sources if name.startswith("code/")} == {
        *(f"{code}/{name}" for name in names),
        f"{code}.diff",
    }
    assert contents.sources[f"{code}.diff"].count(b"+new = 1") == len(NEW)
    assert git(project, "status", "--porcelain") == staged


def test_new_code_lies_beside_a_commit_that_does_not_hold_it(project, commit, new_code):
    submitted(project, commit)
    contents = collect(project, "roll")
    assert {name for name in contents.sources if name.startswith("code/untracked/")} == {
        f"code/untracked/{name}" for name in NEW
    }
    assert "code/untracked: 2 files under src/ and conf/ that git does not track yet" in contents.notes[1]


def test_new_code_makes_a_revision_one_with_changes(project, commit, monkeypatch):
    monkeypatch.setattr(provenance, "PROJECT_PATH", project)
    revision = provenance.git_revision.__wrapped__
    assert revision() == commit
    (project / "notes.txt").write_text("of no matter")
    assert revision() == commit
    (project / NEW[0]).write_text("new = 1")
    assert revision() == f"{commit}+changes"


def test_a_commit_that_git_has_lost_is_said(project, commit):
    submitted(project, "0" * 40)
    contents = collect(project, "roll")
    assert "git does not know 000000000000 here" in contents.notes[0]
    assert "code/000000000000/src/package/code.py" in contents.sources


def test_a_name_under_which_nothing_ran_is_refused_with_the_nearest(project):
    write_run_file(project / "logs" / RUN, "2024", "roll", "app-1")
    with pytest.raises(UserError, match=r"Unknown run name 'rol'\. Did you mean 'roll'"):
        collect(project, "rol")


def test_where_nothing_was_submitted_yet_that_is_said(tmp_path):
    with pytest.raises(UserError, match=r"run name 'rol': nothing was submitted yet\. `kedro submit --run-name`"):
        collect(tmp_path, "rol")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        *(("src/a.py", True), (".gitignore", True), ("docs/images/plot.png", True), ("src/datasets/a.py", True)),
        *(("data/01_raw/a.png", False), (".venv310/lib/a.py", False), ("src/x.egg-info/PKG", False)),
        *(("bundle.zip", False), ("weights.pth", False)),
    ],
)
def test_data_environments_and_archives_are_no_code(name, code):
    assert is_code(name) == code
