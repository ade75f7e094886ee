"""Where a question weighs options, auto offers the council or the best of several under its answer, with the
price, and never takes it by itself."""

from decimal import Decimal

import pytest

from app.conversation.modes.consultation.offer import OfferNote, weighs_options
from app.core.models import Price
from app.core.usage import Purpose
from tests.unit.conversation.modes.test_consultation import a_plan, a_stage

WEIGHS = "Что лучше для кухни: плитка или ламинат?"


@pytest.mark.parametrize(
    "text",
    [
        WEIGHS,
        "Сравни PostgreSQL и MySQL для небольшого магазина",
        "Стоит ли брать ипотеку сейчас?",
        "Какой язык лучше учить первым?",
        "Назови плюсы и минусы удалёнки",
        "В чём разница между TCP и UDP?",
        "Що краще: орендувати чи купувати?",
        "Чи варто переходити на Linux?",
        "Порівняй Київ і Львів для студента",
        "Яку мову краще вивчати?",
        "Compare Rust and Go for a web server",
        "Should I learn piano or guitar?",
        "Which laptop is better for travel?",
        "Tabs vs spaces?",
    ],
)
def test_a_question_that_compares_or_weighs_options_is_known(text):
    assert weighs_options(text)


@pytest.mark.parametrize(
    "text",
    [
        "Столица Франции?",
        "Переведи на английский: «что лучше, чай или кофе?»",
        "Чай или кофе — твой рассказ о завтраке, пожалуйста",
        "Напиши стихи о лучшем друге",
        "Як зварити борщ?",
        "Write a poem about the best day",
        'Fix the typo in "should I go or stay"',
        "Explain `a vs b` in this code: ```x vs y```",
        "",
    ],
)
def test_a_question_that_only_sounds_like_it_is_left_alone(text):
    assert not weighs_options(text)


async def test_the_council_is_offered_where_there_are_two_models_and_nothing_of_it_is_asked():
    stage = a_stage(WEIGHS, gate=a_plan(need=False), extra={"llama": "другой"})
    await stage.play()
    note = OfferNote.of(stage.answer.note)
    assert note is not None
    assert note.mode == "council"
    assert note.calls >= 6
    assert note.money == {}
    assert {r.purpose for r in stage.asked} <= {Purpose.GATE, Purpose.ANSWER}


async def test_with_one_model_the_best_of_several_is_offered_at_its_price():
    price = Price("RUB", Decimal(1), Decimal(2))
    stage = a_stage(WEIGHS, local=False, gate=a_plan(need=False), prices={"model": price})
    await stage.play()
    note = OfferNote.of(stage.answer.note)
    assert note is not None
    assert (note.mode, note.calls) == ("best_of", 3)
    assert note.money is not None
    assert note.money["RUB"] > 3


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("Столица Франции?", {}),
        ("Никого не зови. " + WEIGHS, {}),
        (WEIGHS, {"consultation_gate": "always"}),
    ],
)
async def test_nothing_is_offered_to_who_did_not_ask_to_compare_or_wants_nobody_or_has_specialists(
    text, options
):
    stage = a_stage(text, extra={"llama": "другой"}, options=options)
    await stage.play()
    assert OfferNote.of(stage.answer.note) is None
