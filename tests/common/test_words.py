from cifar_pipelines.common.words import counted, first_line, one_line, some


def test_a_number_and_its_noun_agree():
    assert counted(1, "image") == "1 image" and counted(2000, "image") == "2,000 images"
    assert counted(1, "class", "classes") == "1 class" and counted(0, "class", "classes") == "0 classes"


def test_the_first_few_of_many_are_named_and_the_others_counted():
    assert some(["a", "b"], 2, "link") == "a, b"
    assert some(["a", "b", "c"], 2, "link") == "a, b and 1 more link"
    assert some(list("abcd"), 1, "class", "classes", separator="; ") == "a and 3 more classes"
    assert some([], 5, "image") == ""


def test_a_long_text_is_cut_between_words():
    assert one_line("one\n two  three", 20) == "one two three"
    assert one_line("one two three", 11) == "one two …"


def test_the_first_line_that_says_something_is_taken():
    assert first_line("\n  \n one two\nthree", 20) == "one two"
    assert first_line("one two three", 11) == "one two …"
    assert first_line(" \n", 9) == ""
