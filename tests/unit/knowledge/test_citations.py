"""Citations are compared with their passages: words by their dictionary forms, numbers by their values."""

import pytest

from app.core.tools import Source
from app.knowledge.citations import check, spoken_of, stands_in
from tests.data.knowledge import cited

KETTLE = Source(
    "Гарантия.pdf",
    text="Гарантийный срок на чайник составляет 24 месяца со дня продажи. Он не распространяется на "
    "сменные фильтры. Сервис: +7 495 123-45-67.",
    page=3,
    id="a/0",
)
PRICES = Source(
    "Prices.xlsx",
    text="Teapot: 1,250 roubles, valid from March 15, 2024. Replacement filters cost 300 roubles.",
    id="b/0",
)
PASSAGES = (KETTLE, PRICES)


def holding(text, question=""):
    return [(mark.number, mark.holds) for mark in check(text, PASSAGES, question).marks]


def unsourced(text):
    return [text[start:end] for start, end in check(text, PASSAGES).unsourced]


@pytest.mark.parametrize(
    "text",
    [
        "Гарантия на чайник — 24 месяца [1].",
        "Гарантия на чайник — 24 месяца. [1]",
        "Гарантія на чайник: 24 місяці зі дня продажу [1], «Гарантийный срок на чайник составляет 24 месяца».",
        "На чайник даётся гарантийный срок в **24 месяца** со дня продажи【1】",
        "Согласно [1], гарантийный срок чайника — 24 месяца.",
        "| Чайник, гарантийный срок | 24 месяца [1] |",
        "- Сменные фильтры: гарантия не распространяется [1]",
        "1. Гарантийный срок чайника — 24 месяца [источник 1].",
        "The teapot costs 1250 roubles [2].",
        "The teapot costs 1.25k roubles [2].",
        "Price of the teapot since 2024-03-15: 1 250 roubles [2].",
        "The price is valid from 15.03.2024 [2].",
        'As the list says, "replacement filters  COST 300 roubles" [2].',
        "В документе сказано: «срок на чайник … 24 месяца» [1].",
    ],
)
def test_what_stands_in_the_passage_holds(text):
    if "Гарантія" in text:  # in another language it holds by its quotation
        text = text.replace(" [1]", "") + " [1]"
    assert [holds for _, holds in holding(text)] == [True]
    assert unsourced(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "Гарантия на чайник — 36 месяцев [1].",
        "Гарантия на чайник — 24 месяца [2].",
        "Гарантия на чайник — 24 месяца [3].",
        "Гарантия на чайник — 24 месяца [0].",
        "Доставка по городу бесплатна при заказе двух вещей [1].",
        "The teapot costs 1350 roubles [2].",
        "The price is valid from 16.03.2024 [2].",
        "В документе сказано: «гарантийный срок на любой самовар составляет 24 месяца» [1].",
    ],
)
def test_what_does_not_stand_there_is_struck(text):
    assert [holds for _, holds in holding(text)] == [False]


def test_each_mark_of_a_sentence_speaks_for_its_own_part():
    text = "Гарантия на чайник — 24 месяца [1], а фильтры стоят 300 рублей [1]."
    assert holding(text) == [(1, True), (1, False)]
    assert unsourced(text) == ["300"]


def test_marks_that_stand_together_share_the_claim():
    both = "Гарантия на чайник 24 месяца; replacement filters cost 300 roubles [1][2]."
    assert holding(both) == [(1, True), (2, True)]
    assert holding("Гарантийный срок чайника — 24 месяца со дня продажи [1, 2].") == [
        (1, True),
        (2, False),
    ]


def test_a_yes_is_read_with_the_question():
    assert holding("Да [1].", "Есть ли гарантия на чайник?") == [(1, True)]
    assert holding("Да [2].", "Есть ли гарантия на чайник?") == [(2, False)]
    assert holding("[1]") == [(1, False)]


def test_a_number_of_a_cited_sentence_that_is_in_no_source_is_marked():
    text = "«Teapot: 1,250 roubles» [2], это 17 долларов. В 2019 году было дешевле."
    assert holding(text) == [(2, True)]
    assert unsourced(text) == ["17"]


def test_code_links_and_formulas_hold_no_citations():
    text = "`a[1]` и [1](http://x/1), $x[1]$\n```\nb[2]\n```\n[1]: http://x"
    assert [number for number, _ in holding(text)] in ([], [1])
    assert holding("```\nunclosed [1]") == []


def test_a_month_holds_where_the_passage_has_its_date_in_figures():
    text = "The contract was signed on 15.03.2024. Payments begin in April."
    claim = "The contract was signed on March 15, 2024 [1]."
    (mark,) = check(claim, [Source("C.pdf", text=text)]).marks
    assert mark.holds


def test_names_of_months_in_turkish_letters_break_nothing():
    assert holding("FR\u0130DAY, APR\u0130L 5, tw\u0131ce a day [1].") == [(1, False)]
    assert holding("FR\u0131DAY, apr\u0131l 5 2024 [1].") == [(1, False)]


def test_a_mark_knows_where_it_stands():
    text = "Гарантия на чайник — 24 месяца [1]."
    (mark,) = check(text, PASSAGES).marks
    assert text[mark.start : mark.end] == "[1]"


def test_without_sources_every_mark_is_struck():
    assert check("24 месяца [1].", ()).marks[0].holds is False
    assert check("", PASSAGES) == ((), (), ())


def test_every_mark_of_a_long_answer_is_compared():
    assert len(check("Гарантия на чайник — 24 месяца [1]. " * 2_000, PASSAGES).marks) == 2_000


def test_of_answers_as_models_write_them_wrong_citations_do_not_hold_and_right_ones_do():
    found: dict[bool, list[tuple[bool, str]]] = {True: [], False: []}
    for one in cited():
        marks = check(one.text, one.sources, one.question).marks
        assert len(marks) == len(one.right), one.text
        for mark, right in zip(marks, one.right, strict=True):
            found[right].append((mark.holds, one.text))
    struck = [text for holds, text in found[True] if not holds]
    held = [text for holds, text in found[False] if holds]
    assert len(found[True]) > 300
    assert len(found[False]) > 250
    assert len(struck) <= 0.02 * len(found[True]), struck
    assert len(held) <= 0.02 * len(found[False]), held


@pytest.mark.parametrize("name", ["citations.txt", "hard-tuned.txt", "hard-blind.txt"])
def test_no_right_citation_is_struck_by_its_words_alone_and_what_is_called_sure_is_so(name):
    for one in cited(name):
        found = check(one.text, one.sources, one.question)
        asked = {place for doubt in found.doubts for place in doubt.marks}
        for place, (mark, right) in enumerate(zip(found.marks, one.right, strict=True)):
            assert mark.holds or mark.open or not right, one.text
            assert place in asked or mark.holds == right, one.text


def test_a_number_with_another_unit_does_not_hold():
    source = Source("Label", text="Take 6.25 mg twice a day for 12 days, 2 GB of files since 1871.")
    for text, holds in (
        ("Take 6.25 mg twice a day [1].", True),
        ("Take 6.25 milligrams twice a day [1].", True),
        ("Take 6.25 g twice a day [1].", False),
        ("Take 6.25 mg a day for 12 weeks [1].", False),
        ("Files of 2 MB since 1871 [1].", False),
        ("Files of 2 GB since the year 1871 [1].", True),
        ("Take 62.5 mg twice a day for 12 days, 2 GB of files since 1871 [1].", False),
    ):
        (mark,) = check(text, [source]).marks
        assert (mark.holds, mark.open) == (holds, False), text


@pytest.mark.parametrize(
    ("passage", "claim"),
    [
        ("The pump moves 15 litres a minute.", "The pump moves 1.5 litres a minute [1]."),
        ("The plan costs €12 for each seat.", "The plan costs $12 for each seat [1]."),
        ("It is 5 % more than a year before.", "It is 5 ° more than a year before [1]."),
        ("The hall seats 10-15 guests at once.", "The hall seats 1015 guests at once [1]."),
        ("The pump moves 15 litres a minute.", "“The pump moves 1.5 litres a minute” [1]."),
        ("The plan costs €12 for each seat.", "“The plan costs $12 for each seat” [1]."),
        ("The plan costs 125 roubles a seat.", "“The plan costs 12” [1] roubles."),
    ],
)
def test_a_number_with_another_point_sign_or_unit_is_not_word_for_word(passage, claim):
    found = check(claim, [Source("Facts", text=passage)])
    assert [(mark.holds, mark.open) for mark in found.marks] == [(False, False)]


def test_a_sentence_with_another_sign_before_its_number_is_no_sure_one():
    source = Source("Facts", text="Keep the seeds at -5 degrees in winter.")
    assert len(check("Keep the seeds at 5 degrees in winter [1].", [source]).doubts) == 1
    assert check("Keep the seeds at \u22125 degrees in winter [1].", [source]).doubts == ()


def test_word_for_word_is_up_to_spaces_hyphens_points_and_case():
    text = "Well-known\u00adly, it took 10\u201315 min.\nin 2019. 24 of them paid 1\u202f250 $; 5 % each."
    spoken = spoken_of(Source("Facts", text=text))
    for words in ("wellknownly IT took", "took 10-15 min in 2019", "them paid 1 250$", "5% each"):
        assert stands_in(words, spoken), words
    for words in ("took 1015 min", "15 min in 2019", "in 201", "paid 1250 $", "250 $", "10.15 min"):
        assert not stands_in(words, spoken), words
    assert stands_in("it took 10-15 … of them paid …", spoken, least=3)
    assert not stands_in("it took 10-15 … paid …", spoken, least=3)
