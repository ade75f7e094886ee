"""What is exact in a text is found, missed when it is gone, and doubted when nobody said it."""

import pytest

from app.conversation.compression.details import details_of, missing, unfounded, vocabulary
from app.core.turns import HistoryMessage


def said(text, role="user"):
    return [HistoryMessage("1", role, text)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("The budget is 48,500 EUR.", {"48,500"}),
        ("Срок — 14.03.2027, скидка 15%.", {"14.03.2027", "15%"}),
        ("Пиши на ira@example.org, див. https://example.org/a?b=1.", {"ira@example.org", "https://example.org/a?b=1"}),
        ("Відповідає Марина Кравченко.", {"Марина Кравченко"}),
        ("The key is max_batch_rows in app/settings.yaml.", {"max_batch_rows", "settings.yaml"}),
        ("Он сказал «ни за что», и `make deploy` упал.", {"ни за что", "make deploy"}),
    ],
)  # fmt: skip
def test_exact_things_are_found_in_three_languages(text, values):
    assert values <= {item.value for item in details_of(said(text))} | {
        part for item in details_of(said(text)) for part in item.value.split("/")
    }


@pytest.mark.parametrize(
    "text",
    [
        "Never use Docker here.",
        "Никогда не используй Docker.",
        "Не чіпай цей файл.",
        "Нельзя менять схему.",
        "Заборонено видаляти записи.",
    ],
)
def test_a_prohibition_is_kept_as_a_whole_sentence(text):
    (item,) = details_of(said(f"Hello there. {text}"))
    assert (item.value, item.whole, item.binding) == (text, True, True)


def test_what_the_assistant_says_does_not_bind():
    assert not any(item.binding for item in details_of(said("It costs 900 EUR.", "assistant")))


def test_a_pasted_document_does_not_bind():
    pasted = "row 12345 holds 678.\n" * 200
    assert not any(item.binding for item in details_of(said(pasted)))


def test_inflection_case_and_number_spacing_do_not_hide_a_value():
    ledger = details_of(said("Заплатили Марине Кравченко 48 500 гривен."))
    assert missing(ledger, ["плательщик: Марина Кравченко, 48,500"]) == []


def test_a_dropped_value_is_missing_even_if_a_part_of_it_is_there():
    ledger = details_of(said("The deadline is 2027-03-14."))
    assert [item.value for item in missing(ledger, ["deadline: 2027-03-15"])] == ["2027-03-14"]


def test_a_prohibition_may_lose_a_word_but_not_its_point():
    ledger = details_of(said("Please never use Docker on the school machines."))
    assert missing(ledger, ["never use Docker on the school machines"]) == []
    assert len(missing(ledger, ["use Docker"])) == 1


def test_figures_and_full_names_that_nobody_said_are_unfounded():
    source = vocabulary(said("The budget of Marta Lindqvist is 48,500 EUR."))
    assert unfounded("budget: 48500 EUR, by Marta Lindqvist", source) == []
    assert unfounded("budget: 99,999 USD", source) == ["99,999"]
    assert unfounded("owner: one Peter Pan", source) == ["Peter Pan"]
