"""A long text is searched by itself: by the words of a question, and all over it where it has none."""

from app.knowledge.excerpts import best_of, passages_in

BOOK = (
    "\n".join(
        f"# Глава {n}\nВ главе {n} рассказано о предмете номер {n * 17}. "
        + "Обычные слова текста. " * 30
        for n in range(40)
    )
    + "\n# Приложение\nПароль от погреба хранится у тётушки Агафьи."
)


def test_the_words_of_the_question_are_found_in_any_form():
    best = best_of(passages_in(BOOK, "book.md"), "У кого пароли от погребов?")
    assert "Агафьи" in best[0].text
    assert best[0].heading == "Приложение"


def test_a_question_about_the_whole_gets_places_from_all_over_the_text():
    passages = passages_in(BOOK, "book.md")
    best = best_of(passages, "?")
    assert [best[0].number, best[1].number] == [0, len(passages) - 1]
    assert sorted(one.number for one in best) == list(range(len(passages)))


def test_nothing_is_found_in_nothing():
    assert best_of((), "что?") == []
    assert len(best_of(passages_in("Одно слово", "a.txt"), "иное")) == 1
