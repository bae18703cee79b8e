"""The laboratory's report: which questions it answers, in which order."""

from collections.abc import Callable

from cifar_pipelines.report.chapters.every_study import TITLE
from cifar_pipelines.report.chapters.laboratory import appendix, data, models, settings
from cifar_pipelines.report.chapters.laboratory.first_page import first_page
from cifar_pipelines.report.content import Content
from cifar_pipelines.report.document.blocks import Blocks, Document, Section

Answer = Callable[[Content], Blocks]
QUESTIONS: tuple[tuple[str, str, Answer], ...] = (
    ("A1", "How are the classes distributed in the complete data set?", data.complete_data),
    ("A2", "How are they distributed in the selected subset?", data.selected_data),
    ("A3", "How was the subset selected?", data.subset),
    ("A4", "How were features extracted, and how fast?", data.features),
    ("A5", "Which classifiers does the installed Spark ML offer?", models.survey),
    ("A6", "Which classifiers were selected, and why?", models.selected_classifiers),
    ("A7", "How good are the models?", models.metrics),
    ("A8", "Which parallelism settings were used?", settings.settings),
    ("A9", "Which setting did best, and why?", settings.results_by_setting),
    ("A10", "Where is parallelism used in the code?", settings.parallelism_in_the_code),
    ("A11", "Which CNN was trained, and why these layers?", models.network),
    ("A12", "How did the CNN do under the settings, by either engine?", models.engines),
    ("A13", "What did more images give, with the best setting?", models.more_images),
    ("A14", "How accurate are all models, and how long did they train?", settings.all_models),
    ("A15", "Which is best in accuracy, in time and in resources?", settings.the_best),
)


def answer_questions(content: Content) -> Document:
    """Makes the report."""
    answers = tuple(Section(name, f"{name}. {question}", answer(content)) for name, question, answer in QUESTIONS)
    lead = first_page(content)
    date = f"{content.records['created'].max():%Y-%m-%d}"
    blocks = answers + appendix.end_of(content, (*lead, *answers))
    return Document(TITLE, date, blocks, lead, by=content.author.named)
