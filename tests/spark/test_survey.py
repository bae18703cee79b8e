import json

import pyspark
import pytest

from cifar_pipelines.spark.survey import kept_survey

SURVEY = {"pyspark": pyspark.__version__, "classifiers": []}


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (json.dumps(SURVEY), SURVEY),
        (json.dumps(SURVEY | {"pyspark": "3.1.0"}), None),
        ('{"pyspark": ', None),
        ("[]", None),
        (None, None),
    ],
)
def test_a_survey_is_kept_if_it_is_whole_and_of_this_version(tmp_path, content, kept):
    file = tmp_path / "survey.json"
    if content is not None:
        file.write_text(content)
    assert kept_survey(file) == kept
