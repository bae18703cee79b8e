from cifar_pipelines.common.words import counted, first_line, in_seconds, one_line, seconds, some, three_digits


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


def test_seconds_have_digits_that_fit_their_size_and_are_never_powers_of_ten():
    assert [seconds(value) for value in (1436.2, 99.97, 12.34, 0.999, 0.567, 0)] == [
        "1436",
        "100",
        "12.3",
        "1.0",
        "0.57",
        "0",
    ]
    assert seconds(-1436.2) == "-1436" and in_seconds(1436.2) == "1436 s"
    assert [three_digits(value) for value in (1234.5, 12.34, 0.4567)] == ["1234", "12.3", "0.457"]
