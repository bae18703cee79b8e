"""What keeps the source readable: small files, short functions, light imports. Who imports whom is checked by `make lint`."""

import ast
import textwrap
from functools import cache

import pytest

from cifar_pipelines.common.configuration import PROJECT_PATH

ROOT = PROJECT_PATH / "src" / "cifar_pipelines"
SOURCES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 300, 45
HEAVY = {"bigdl", "matplotlib", "pyspark", "scipy", "sklearn", "torch", "torchvision"}
# Rooms that are made of a heavy library; all others import it where they use it, so that a command starts at once.
MADE_OF = {
    "classifiers": {"pyspark"},
    "compression": {"torch"},
    "engines": {"bigdl", "torch"},
    "networks": {"torch"},
    "plots": {"matplotlib"},
    "training": {"torch"},
}


@cache
def tree_of(name):
    return ast.parse((ROOT / name).read_text())


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def lines_of_code(function):
    """From the first statement after the docstring to the last line."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def imported_at_once(tree):
    """Names of the packages that the import of a module imports; what is written inside of functions is not."""
    names = set()
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.partition(".")[0])
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
    return names


def test_there_is_something_to_check():
    assert len(SOURCES) > 100
    assert sum(len(functions(tree_of(name))) for name in SOURCES) > 500


@pytest.mark.parametrize("name", SOURCES)
def test_a_file_is_short(name):
    assert len((ROOT / name).read_text().splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("name", SOURCES)
def test_a_function_is_short(name):
    lengths = {function.name: lines_of_code(function) for function in functions(tree_of(name))}
    assert not {function: lines for function, lines in lengths.items() if lines > LONGEST_FUNCTION}


@pytest.mark.parametrize("name", [name for name in SOURCES if name.endswith("__init__.py")])
def test_a_package_says_what_it_is(name):
    assert ast.get_docstring(tree_of(name))


@pytest.mark.parametrize("name", SOURCES)
def test_a_heavy_library_is_imported_at_once_only_where_it_is_at_home(name):
    heavy = imported_at_once(tree_of(name)) & HEAVY
    assert heavy <= MADE_OF.get(name.partition("/")[0], set())


def test_imports_inside_of_functions_and_for_types_alone_do_not_count():
    code = """
    import a.b
    if TYPE_CHECKING:
        import c
    else:
        from d import e
    try:
        import f
    except ImportError:
        pass
    class G:
        import h
        def i(self):
            import j
    """
    assert imported_at_once(ast.parse(textwrap.dedent(code))) == {"a", "d", "f", "h"}


def test_a_docstring_is_no_code():
    (function,) = functions(ast.parse('def f():\n    """Says.\n\n    More.\n    """\n    a = 1\n    return a\n'))
    assert lines_of_code(function) == 2


def without_encoding(tree):
    """Lines of calls that would read or write text in the encoding of the host."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    found = set()
    for call in calls:
        words = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        of_a_path = method in ("read_text", "write_text") and ast.unparse(call.func.value) != "whole_files"
        if (of_a_path or method == "FileHandler" or words.get("text") == "True") and "encoding" not in words:
            found.add(call.lineno)
        modes = [ast.unparse(mode) for mode in call.args]
        if method == "open" and not words and modes in ([], ["'w'"], ["'r'"], ["'a'"]):
            found.add(call.lineno)
    return found


@pytest.mark.parametrize("name", SOURCES)
def test_text_is_read_and_written_in_an_encoding_that_is_named(name):
    assert not without_encoding(tree_of(name))


def test_a_call_that_leaves_the_encoding_to_the_host_is_found():
    code = 'p.read_text()\np.write_text(t, encoding="utf-8")\nrun(c, text=True)\np.open("w")\np.open("wb")\np.open()'
    assert without_encoding(ast.parse(code)) == {1, 3, 4, 6}


def test_files_of_tests_have_names_of_their_own():
    """Two of one name cannot be collected in one run, though each alone can."""
    names = [file.name for file in (PROJECT_PATH / "tests").rglob("test_*.py")]
    assert [name for name in set(names) if names.count(name) > 1] == []
