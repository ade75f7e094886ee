"""Files in the encodings that Russian and Ukrainian programs wrote, whole and damaged."""

import time

import pytest

from app.attachments.decoding import decode

TEXTS = [
    "Привет",
    "имя;цена\nчай;10\nкофе;250",
    "ЦЕНА;КОЛ-ВО;ИТОГО",
    "1;2;3;шт\n4;5;6;кг\n7;8;9;м",
    "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "Їжак і ґава з’їли борщ у Києві.",
    "ДОГОВІР № 5 від 12.03.2024",
    "2024-01-01 ERROR Ошибка подключения к серверу",
    "def f(): # счётчик\n    return 'Готово'",
    "Иванов Пётр Сергеевич",
]


@pytest.mark.parametrize(
    "encoding",
    ["cp1251", "cp866", "koi8-u", "utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"],
)
@pytest.mark.parametrize("text", TEXTS)
def test_each_text_is_read_in_each_encoding_that_has_its_letters(text: str, encoding: str) -> None:
    try:
        data = text.encode(encoding)
    except UnicodeEncodeError:
        data = text.replace("’", "'").replace("№", "N").encode(encoding, "ignore")
    decoded = decode(data)
    assert decoded is not None
    assert decoded.text == data.decode(encoding)
    assert decoded.unreadable == 0


SHORT = "Нет,Список,Отчет,купить хлеб,Счета за май,ключ,Пароль: qwerty,Телефон,руб,кг,файл,ВЫХОД,объем,Щука,Київ,рахунок"
SHORT += ",Спасибо,город Тула,дом,кот,лес,мир,API ключ,user: админ,Прайс-лист,ООО Ромашка,Сегодня,Глава 1"


@pytest.mark.parametrize("encoding", ["cp1251", "cp866", "koi8-u", "mac_cyrillic"])
@pytest.mark.parametrize("text", SHORT.split(","))
def test_a_word_or_two_are_enough(text: str, encoding: str) -> None:
    decoded = decode(text.encode(encoding))
    assert decoded is not None
    assert decoded.text == text


def test_western_european_text_is_read() -> None:
    text = "Le café fut servi à l’été; Müller zahlte 3 €"
    decoded = decode(text.encode("cp1252"))
    assert decoded is not None
    assert decoded.text == text


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[1:],
        lambda data: data[: len(data) // 2] + b"\xff" + data[len(data) // 2 :],
        lambda data: b"\x80" + data,
        lambda data: data.replace("ш".encode(), b"\xd1", 1),
    ],
    ids=["cut at the end", "cut at the beginning", "a stray byte", "a lone continuation", "half"],
)
def test_utf8_with_a_bad_byte_is_utf8_with_a_mark(damage: object) -> None:
    good = "Ошибка подключения к серверу баз данных\n" * 3 + "конец"
    decoded = decode(damage(good.encode()))  # type: ignore[operator]  # one of the lambdas above
    assert decoded is not None
    assert 1 <= decoded.unreadable <= 3
    assert "подключения к серверу" in decoded.text
    assert "Рџ" not in decoded.text


def test_bytes_that_are_no_text_are_none() -> None:
    assert decode(bytes(range(128, 256)) * 20) is None


def test_a_megabyte_takes_no_time() -> None:
    data = ("Сумма;" * 100_000).encode("cp866")
    start = time.perf_counter()
    assert decode(data) is not None
    assert time.perf_counter() - start < 1.0
