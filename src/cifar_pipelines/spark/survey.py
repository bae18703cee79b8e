"""The survey of the classifiers that the installed Spark ML offers, made by trying them."""

import inspect
import json
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cifar_pipelines.common import whole_files
from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.common.places import place
from cifar_pipelines.common.words import first_line
from cifar_pipelines.spark.session import SparkRuntime
from cifar_pipelines.spark.setting import ParallelismSetting
from cifar_pipelines.spark.spark_config import EMBEDDED, SparkConfig

logger = logging.getLogger(__name__)

ROWS = 60
AT_ONCE = 4  # classifiers


def load_or_make_survey(loader: Any, refresh: bool = False) -> dict[str, Any]:
    """Loads the survey of the installed version, or makes and keeps it (anew, to refresh it).

    Returns:
        `pyspark` (version) and `classifiers`: dicts, sorted by name, with `name`, `multiclass`, `probabilities` and
        `features` (constraints), all text.
    """
    path = PROJECT_PATH / place("classifier_survey")
    if not refresh and (survey := kept_survey(path)):
        return survey
    config = SparkConfig.from_config(dict(loader["spark"]) | {"master": EMBEDDED})
    with SparkRuntime(ParallelismSetting(1, 1, "1g"), config, "survey") as runtime:
        survey = make_survey(runtime.session)
    whole_files.write_json(path, survey, indent=2)
    return survey


def make_survey(session: Any) -> dict[str, Any]:
    """Fits every classifier of `pyspark.ml.classification` to tiny tables; see `load_or_make_survey`."""
    import pyspark
    from pyspark.ml import Estimator, classification
    from tqdm import tqdm

    tables = {
        "two classes": _table(session, classes=2, signed=False),
        "three classes": _table(session, classes=3, signed=False),
        "negative features": _table(session, classes=2, signed=True),
    }
    offered = [
        member
        for name, member in inspect.getmembers(classification, inspect.isclass)
        if issubclass(member, Estimator)
        and member.__module__ == classification.__name__
        and not name.startswith("_")
        and not inspect.isabstract(member)
        and "classifier" not in inspect.signature(member.__init__).parameters  # OneVsRest wraps another
    ]
    logger.info("Trying the %d classifiers of Spark ML %s on tiny tables, once.", len(offered), pyspark.__version__)
    session.sparkContext.setLogLevel("OFF")  # a refusal is a finding, not a fault
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:  # tiny jobs wait for one another's overhead, not for cores
            trying = pool.map(lambda member: _try(member, tables), offered)
            tried = list(tqdm(trying, "Trying classifiers", len(offered), leave=False, disable=None))
    finally:
        session.sparkContext.setLogLevel("ERROR")
    return {"pyspark": pyspark.__version__, "classifiers": tried}


def kept_survey(path: Path) -> dict[str, Any] | None:
    """Loads the survey of the installed version; None if it was not made yet, or its file is damaged."""
    import pyspark

    try:
        survey = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError:
        return None
    return survey if isinstance(survey, dict) and survey.get("pyspark") == pyspark.__version__ else None


def _try(member: type, tables: dict[str, Any]) -> dict[str, str]:
    def attempt(table: str, **arguments: Any) -> tuple[Any, str]:
        known = inspect.signature(member.__init__).parameters
        # A network needs to be told its layers; everything else has defaults.
        if "layers" in known:
            arguments["layers"] = [2, 3 if table == "three classes" else 2]
        # Whether it can learn at all shows in the first step.
        arguments |= {name: 1 for name in ("maxIter", "numTrees") if name in known}
        try:
            return member(**arguments).fit(tables[table]), ""
        except Exception as error:  # whatever it raises is the finding
            return None, _first_sentence(error)

    model, reason = attempt("two classes")
    many, _ = attempt("three classes")
    signed, refusal = attempt("negative features")
    scored = (many or model).transform(tables["three classes" if many else "two classes"]) if many or model else None
    kinds = _choices(member, "modelType")
    allowing = [kind for kind in kinds if signed is None and attempt("negative features", modelType=kind)[0]]
    if signed is not None:
        constraint = "any"
    elif allowing:
        constraint = f"no negative ones, but with modelType={'|'.join(allowing)} any"
    else:
        constraint = f"refused: {refusal}"
    return {
        "name": member.__name__,
        "multiclass": "natively" if many else "through OneVsRest" if model else f"failed: {reason}",
        "probabilities": "yes" if scored is not None and "probability" in scored.columns else "no",
        "features": constraint,
    }


def _choices(member: type, parameter: str) -> list[str]:
    """The values that a parameter's own documentation names."""
    if parameter not in inspect.signature(member.__init__).parameters:
        return []
    documentation = getattr(member(), parameter).doc
    return [name.lower() for name in re.findall(r"\b[a-z]{6,}\b", documentation.split(":")[-1])]


def _table(session: Any, classes: int, signed: bool) -> Any:
    from pyspark.ml.linalg import Vectors

    rows = [
        (float(i % classes), Vectors.dense(i % classes + (i % 7) / 10, (i % 5) / 5 - (0.9 if signed else 0)))
        for i in range(ROWS)
    ]
    return session.createDataFrame(rows, ["label", "features"]).coalesce(1).persist()


def _first_sentence(error: Exception) -> str:
    text = getattr(error, "desc", None) or str(error)
    return first_line(text, 120)
