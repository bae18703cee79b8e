"""`tfidf`: words and their n-grams, hashed and weighed by how rare they are, by Spark ML.

Source: G. Salton and C. Buckley, "Term-weighting approaches in automatic text retrieval", 1988; hashing in place of a
vocabulary: K. Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009.
"""

from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.contents import TEXT
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import whole
from cifar_pipelines.common.texts import LINE_BREAK
from cifar_pipelines.extractors import State, TableExtractor, register

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

WORD = r"(?U)\w+"  # letters, digits and underscores of any script
_COUNTS, _FEATURES = "_counts", "features"


@register
class Tfidf(TableExtractor):
    """Sparse vectors of unit length: a number for every hash of a word or n-gram.

    Args:
        ngrams: Words of the longest n-gram; 1 for words alone.
        dimensions: Numbers of a vector. Two terms of the same hash share one.
        binary: Whether a term counts once in a text, however often it is there.
        least_texts: Terms of fewer training texts count nothing.
    """

    content = TEXT

    def __init__(
        self,
        variant: str = "",
        weights: str | None = None,
        input_size: int | None = None,
        *,
        ngrams: int = 2,
        dimensions: int = 2**18,
        binary: bool = True,
        least_texts: int = 2,
    ) -> None:
        if variant or weights is not None or input_size is not None:
            raise UserError(
                "tfidf has no variants, weights or input size. Leave them out; features.options.tfidf has its options."
            )
        self.name = "tfidf"
        self.ngrams, self.dimensions, self.binary, self.least_texts = ngrams, dimensions, binary, least_texts

    def check(self) -> None:
        """Raises if an option is out of its range."""
        for name, least in (("ngrams", 1), ("dimensions", 2), ("least_texts", 1)):
            whole(f"tfidf: {name}", getattr(self, name), least)
        if self.ngrams > 5:
            raise UserError(f"tfidf: ngrams is {self.ngrams}, but must be at most 5: longer ones hardly come twice.")

    def learn(self, texts: "DataFrame") -> State:
        """Counts in how many training texts every hash is; runs on the executors.

        Returns:
            `idf`, float64 (dimensions,): ln((texts + 1) / (texts with it + 1)), or 0 where it is in too few.
        """
        from pyspark.ml.feature import IDF

        # PARALLEL(executors): every task hashes the terms of its texts and counts them.
        model = IDF(inputCol=_COUNTS, outputCol=_FEATURES, minDocFreq=self.least_texts).fit(self._counted(texts))
        return {"idf": model.idf.toArray()}

    def transform(self, texts: "DataFrame", state: State) -> "DataFrame":
        """Adds the column `features`, sparse vectors, in place of `image`."""
        from pyspark.ml.feature import ElementwiseProduct, Normalizer
        from pyspark.ml.linalg import Vectors

        weighed = ElementwiseProduct(
            scalingVec=Vectors.dense(state["idf"]), inputCol=_COUNTS, outputCol="_weighed"
        ).transform(self._counted(texts))
        unit = Normalizer(p=2.0, inputCol="_weighed", outputCol=_FEATURES).transform(weighed)
        return unit.select(*(name for name in texts.columns if name != "image"), _FEATURES)

    def describe(self) -> dict[str, Any]:
        """Name, and what is counted."""
        counted = "once a text" if self.binary else "as often as they come"
        longest = f" and n-grams of up to {self.ngrams}" if self.ngrams > 1 else ""
        return {
            "extractor": self.name,
            "weights": f"inverse document frequencies of words{longest}, hashed to {self.dimensions:,} numbers, counted "
            f"{counted}, of at least {self.least_texts} training texts",
            "input_size": None,
        }

    def _counted(self, texts: "DataFrame") -> "DataFrame":
        from pyspark.ml.feature import HashingTF, NGram, RegexTokenizer
        from pyspark.sql import functions as F  # noqa: N812

        text = F.regexp_replace(F.decode("image", "UTF-8"), LINE_BREAK, " ")
        words = RegexTokenizer(inputCol="_text", outputCol="_words", pattern=WORD, gaps=False)
        table, terms = words.transform(texts.withColumn("_text", text)), ["_words"]
        for length in range(2, self.ngrams + 1):
            terms.append(f"_{length}")
            table = NGram(n=length, inputCol="_words", outputCol=terms[-1]).transform(table)
        hashing = HashingTF(numFeatures=self.dimensions, binary=self.binary, inputCol="_terms", outputCol=_COUNTS)
        return hashing.transform(table.withColumn("_terms", F.concat(*terms)))
