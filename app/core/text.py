"""Texts for people, in the three languages of the users, side by side."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, get_args

Language = Literal["ru", "uk", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


@dataclass(frozen=True, slots=True)
class Text:
    """One text in every language; a missing language is a type error, not a surprise on screen."""

    ru: str
    uk: str
    en: str

    def __getitem__(self, language: Language) -> str:
        """The text in `language`."""
        match language:
            case "ru":
                return self.ru
            case "uk":
                return self.uk
            case "en":
                return self.en

    def format(self, **values: object) -> "Text":
        """The same text with `{placeholders}` filled, in every language."""
        return Text(
            ru=self.ru.format(**values),
            uk=self.uk.format(**values),
            en=self.en.format(**values),
        )


def same(text: str) -> Text:
    """A text that reads alike in every language: a name, a figure, a command."""
    return Text(ru=text, uk=text, en=text)


def language_of(tag: str | None) -> Language:
    """The supported language of a BCP 47 tag such as `uk-UA`; English where it is none of ours."""
    primary = (tag or "").replace("_", "-").split("-")[0].strip().lower()
    for language in LANGUAGES:
        if primary == language:
            return language
    return "en"


def written(number: int | Decimal, language: Language, digits: int = 0) -> str:
    """A figure as people of that language write it: 5 100 and 0,42, or 5,100 and 0.42."""
    figure = f"{number:,.{digits}f}"
    if language == "en":
        return figure
    return figure.replace(",", "\N{NO-BREAK SPACE}").replace(".", ",")


def plural(number: int, one: Text, few: Text, many: Text) -> Text:
    """The form of a counted noun: CLDR rules for ru and uk, one/other for en.

    `few` and `many` hold the Slavic forms; English takes `many` for its plural.
    """
    tens, units = number % 100, number % 10
    if units == 1 and tens != 11:
        slavic = one
    elif 2 <= units <= 4 and not 12 <= tens <= 14:
        slavic = few
    else:
        slavic = many
    return Text(ru=slavic.ru, uk=slavic.uk, en=one.en if number == 1 else many.en)
