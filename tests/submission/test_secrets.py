import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.submission.contents import CODE_FOLDERS, is_code
from cifar_pipelines.submission.secrets import find_secrets

# Put together here, so that no file of the project holds what these tests look for.
WORD = "pass" + "word"
LITERAL = "hunter2" + "hunter2"
AWS = "AKIA" + "IOSFODNN7ABCDEFG"
GITHUB = "ghp_" + "a1B2c3D4e5" * 4
FINE_GRAINED = "github_pat_" + "a1B2c3D4e5" * 4
KEY_HEADER = "-----BEGIN RSA " + "PRIVATE KEY-----"


RANDOM = "a1B2c3D4e5F6" * 10
TOKENS = [
    ("glpat-" + RANDOM[:20], "a GitLab token"),
    ("xoxb-" + "123456789012-" * 2 + RANDOM[:24], "a Slack token"),
    ("AIza" + RANDOM[:35], "a Google API key"),
    ("sk-" + RANDOM[:48], "a key of a language model"),
    ("sk-proj-" + RANDOM[:60], "a key of a language model"),
    ("sk-ant-api03-" + RANDOM[:90], "a key of a language model"),
    ("hf_" + "aBcDeFgHiJ" * 4, "a Hugging Face token"),
    ("pypi-AgE" + RANDOM[:60], "a PyPI token"),
    ("npm_" + RANDOM[:36], "an npm token"),
    ("sk_live_" + RANDOM[:24], "a Stripe key"),
    ("eyJ" + RANDOM[:20] + ".eyJ" + RANDOM[:30] + "." + RANDOM[:40], "a JSON web token"),
    ("https://me:" + LITERAL + "@host.lab:8080/simple", "a password in an address"),
    ("postgresql+psycopg://me:" + LITERAL + "@10.0.0.1/db", "a password in an address"),
    ("http://:" + LITERAL + "@proxy", "a password in an address"),
]


def found(text, name="conf/base/x.yml", environment=None):
    return find_secrets({name: text.encode()}, environment or {})


@pytest.mark.parametrize(
    "name",
    [
        *(".env", "conf/.env.production", "x/host.pem", "id_rsa", "a/b/id_ed25519", "credentials.yml"),
        *("Credentials.json", "server.key", ".netrc"),
    ],
)
def test_files_are_refused_by_name(name):
    assert find_secrets({name: b""}, {}) == [f"{name}: a file of this name holds secrets"]


@pytest.mark.parametrize("name", [".env.example", "monkey.py", "src/keys.py", "id_rsa.md", "my_credentials.py"])
def test_other_names_are_not(name):
    assert find_secrets({name: b""}, {}) == []


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (KEY_HEADER, "a private key"),
        (f"key_id: {AWS}", "an AWS access key"),
        (f"git clone https://{GITHUB}@github.com/a/b", "a GitHub token"),
        (FINE_GRAINED, "a GitHub token"),
        (f'token = "{LITERAL}"', "a value of 'token'"),
        (f"{WORD}: {LITERAL}", f"a value of '{WORD}'"),
        (f"{WORD}: {LITERAL}  # of the proxy", f"a value of '{WORD}'"),
        (f"  proxy_{WORD}: '{LITERAL}'", f"a value of '{WORD}'"),
        (f"secret_access_key = '{LITERAL}'", "a value of 'secret_access_key'"),
        (f"HISTORY_TOKEN={LITERAL}", "a value of 'TOKEN'"),
        (f'{{"api_key": "{LITERAL}"}}', "a value of 'api_key'"),
        (f'"{{\\"token\\": \\"{LITERAL}\\"}}"', "a value of 'token'"),
        (f"java -Dproxy.{WORD}={LITERAL} Main", f"a value of '{WORD}'"),
        (f'os.environ["TOKEN"] = "{LITERAL}"', "a value of 'TOKEN'"),
    ],
)
def test_contents_are_refused_by_file_and_line_but_not_quoted(line, what):
    text = f"first: 1\n{line}\nlast: 1\n"
    assert found(text) == [f"conf/base/x.yml, line 2: looks like {what}"]
    assert LITERAL not in str(found(text)) and GITHUB not in str(found(text))


@pytest.mark.parametrize(("token", "what"), TOKENS)
@pytest.mark.parametrize("around", ["{}", "INFO: used {}, went on", 'x = ["{}"]'])
def test_tokens_are_known_by_their_shape(token, what, around):
    (finding,) = found(around.format(token))
    assert finding == f"conf/base/x.yml, line 1: looks like {what}"
    assert token not in finding


@pytest.mark.parametrize(
    "line",
    [
        *("https://host:8080/a@b", "git clone https://github.com/a/b", "spark://host:7077", "ssh://git@host/a"),
        *("http://user:${PASSWORD}@proxy", "http://user:<password>@proxy", "https://user:****@host"),
        *(
            "a task-based-on-a-long-name-of-words",
            "risk-assessment-of-everything-there-is",
            "sk-learn-like-estimators-of-all",
        ),
        *("hf_hub_download_of_a_file_that_is_long", "eyJust.a.word", "npm_config_registry", "xoxo-kisses"),
    ],
)
def test_addresses_and_words_that_only_look_alike_are_not_secrets(line):
    assert found(line) == []


@pytest.mark.parametrize(
    "line",
    [
        *("token: null", f"{WORD}: short", "token: ${oc.env:HISTORY_TOKEN}", f"{WORD}: $PROXY_VALUE"),
        *('token = "<your token here>"', f"{WORD}: changeme123", 'secret = "xxxxxxxxxxxx"', "max_tokens: 10000000"),
        *('"spark.some.secret": "*********(redacted)"', "tokens = tokenizer.split(sentence)", "TOKEN=%(value)s"),
        *(f"No {WORD} belongs into a file of this project.", "weights_path: data/01_raw/weights.pth"),
        '"delegation-token-renewer.thread-timeout":"60s000000"',
    ],
)
def test_placeholders_references_and_other_words_are_not_secrets(line):
    assert found(line) == []


@pytest.mark.parametrize("line", ["token = create_token()", f"def f({WORD}: SecretText) -> None:", "token=given_token"])
def test_in_code_a_bare_word_is_a_name(line):
    assert found(line, "src/x.py") == []
    assert found(f'token = "{LITERAL}"', "src/x.py") != []


values = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=8, max_size=40)


@given(
    values, st.binary(max_size=200), st.binary(max_size=200), st.sampled_from(["A_TOKEN", "secret_x", "DB_PASSWORD"])
)
@example("0" * 8, b"\0\n", b"\xff", "A_TOKEN")
def test_a_value_of_the_environment_is_found_wherever_it_stands(value, before, after, variable):
    content = before + value.encode() + after
    number = before.count(b"\n") + 1
    place = f"log, line {number}: the value of the environment variable {variable}"
    assert place in find_secrets({"log": content}, {variable: value})


@given(st.text(max_size=7), st.binary(max_size=100))
def test_short_values_and_other_variables_are_not_looked_for(value, content):
    looked_for = find_secrets({"log": content + value.encode()}, {"A_TOKEN": value, "HOME": "/a/longer/value"})
    assert not [finding for finding in looked_for if "environment variable" in finding]


@given(values)
def test_a_literal_is_never_quoted_in_what_is_said_about_it(value):
    for finding in found(f'token = "{value}"'):
        assert value not in finding.replace("token", "")


def test_the_project_holds_no_secret():
    paths = {
        path.relative_to(PROJECT_PATH).as_posix(): path
        for name in CODE_FOLDERS
        for path in (PROJECT_PATH / name).rglob("*")
    }
    files = {name: path for name, path in paths.items() if path.is_file() and is_code(name)}
    assert "conf/base/spark.yml" in files
    assert find_secrets(files, {}) == []
