"""Questions to begin with, on the welcome screen."""

from dataclasses import dataclass

from app.core.text import Language, Text, language_of, same
from app.view.chainlit.dicts import Starter


@dataclass(frozen=True, slots=True)
class Beginning:
    """A button of the welcome screen and the question it asks; `icon` is a file of public/icons."""

    label: Text
    question: Text
    icon: str


BEGINNINGS = (
    Beginning(
        Text(ru="Объясни просто", uk="Поясни просто", en="Explain simply"),
        Text(
            ru="Объясни простыми словами, почему небо голубое, а закат красный.",
            uk="Поясни простими словами, чому небо блакитне, а захід сонця червоний.",
            en="Explain in simple words why the sky is blue and the sunset red.",
        ),
        "explain",
    ),
    Beginning(
        Text(ru="Созови консилиум", uk="Склич консиліум", en="Call a council"),
        Text(
            ru="Позови экономиста, инженера и юриста: стоит ли городу менять все автобусы на трамваи?",
            uk="Поклич економіста, інженера й юриста: чи варто місту замінити всі автобуси на трамваї?",
            en="Ask an economist, an engineer and a lawyer: should a city replace all its buses with trams?",
        ),
        "council",
    ),
    Beginning(
        Text(ru="Помоги с письмом", uk="Допоможи з листом", en="Help with a letter"),
        Text(
            ru="Напиши короткое вежливое письмо: перенеси встречу с понедельника на среду.",
            uk="Напиши короткого ввічливого листа: перенеси зустріч із понеділка на середу.",
            en="Write a short polite letter that moves a meeting from Monday to Wednesday.",
        ),
        "letter",
    ),
    Beginning(
        Text(ru="Напиши код", uk="Напиши код", en="Write code"),
        Text(
            ru="Напиши на Python функцию, которая находит самые частые слова в тексте, и объясни её.",
            uk="Напиши на Python функцію, яка знаходить найчастіші слова в тексті, і поясни її.",
            en="Write a Python function that finds the most frequent words of a text, and explain it.",
        ),
        "code",
    ),
)

SMALL_BEGINNINGS = (
    Beginning(
        Text(ru="Столица Франции", uk="Столиця Франції", en="The capital of France"),
        same("What is the capital of France?"),
        "explain",
    ),
    Beginning(
        Text(ru="Как едет велосипед", uk="Як їде велосипед", en="How a bicycle works"),
        same("How does a bicycle work?"),
        "explain",
    ),
    Beginning(
        Text(ru="Что такое фотосинтез", uk="Що таке фотосинтез", en="What photosynthesis is"),
        same("What is photosynthesis?"),
        "explain",
    ),
)
"""What the small model that comes with the install can answer: it knows English only."""


async def starters(_user: object, language: str | None) -> list[Starter]:
    """The beginnings in the reader's language, as Chainlit asks for them."""
    return in_language(language_of(language))


def in_language(language: Language) -> list[Starter]:
    """The beginnings as Chainlit draws them."""
    return [
        Starter(
            label=one.label[language],
            message=one.question[language],
            icon=f"/public/icons/{one.icon}.svg",
        )
        for one in BEGINNINGS
    ]
