"""Why a file was refused, or which of its pages say nothing: facts, and their words in each language."""

import shutil
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from app.core.knowledge import page_spans
from app.core.text import Text

Reason = Literal[
    "too_many",
    "too_large",
    "empty",
    "unsupported",
    "heic",
    "type_mismatch",
    "encrypted",
    "no_text",
    "scan",
    "damaged",
    "unpacks_too_large",
    "too_many_pages",
    "too_long",
    "too_many_pixels",
    "no_vision",
    "too_slow",
    "too_complex",
]
REASONS: tuple[Reason, ...] = get_args(Reason)

TEXTS: dict[str, Text] = {
    "too_many": Text(
        ru="Слишком много файлов: за один раз можно приложить не больше {limit}.",
        uk="Забагато файлів: за один раз можна додати не більше ніж {limit}.",
        en="Too many files: up to {limit} can be attached at a time.",
    ),
    "too_large": Text(
        ru="Файл «{name}» слишком большой: {size_mb} МБ при пределе {limit_mb} МБ.",
        uk="Файл «{name}» завеликий: {size_mb} МБ, а можна до {limit_mb} МБ.",
        en="“{name}” is too large: {size_mb} MB, and the limit is {limit_mb} MB.",
    ),
    "empty": Text(
        ru="Файл «{name}» пуст.",
        uk="Файл «{name}» порожній.",
        en="“{name}” is empty.",
    ),
    "unsupported": Text(
        ru="Файлы такого вида, как «{name}», пока не читаются. Подойдут текст, код, Markdown, CSV, "
        "JSON, PDF, DOCX, PPTX, XLSX, EPUB и изображения.",
        uk="Файли такого виду, як «{name}», поки не читаються. Підійдуть текст, код, Markdown, CSV, "
        "JSON, PDF, DOCX, PPTX, XLSX, EPUB і зображення.",
        en="Files like “{name}” cannot be read yet. Text, code, Markdown, CSV, JSON, PDF, DOCX, PPTX, "
        "XLSX, EPUB and images can.",
    ),
    "heic": Text(
        ru="«{name}» — снимок HEIC, как их хранит iPhone; такие пока не читаются. Сохраните его как JPEG "
        "или PNG и приложите снова.",
        uk="«{name}» — знімок HEIC, як їх зберігає iPhone; такі поки не читаються. Збережіть його як JPEG "
        "або PNG і додайте ще раз.",
        en="“{name}” is a photo in HEIC, as an iPhone keeps them, which cannot be read yet. Save it as "
        "JPEG or PNG and attach it again.",
    ),
    "type_mismatch": Text(
        ru="«{name}» — не то, чем назван: по имени это {claimed}, а внутри {found}.",
        uk="«{name}» — не те, чим названо: за назвою це {claimed}, а всередині {found}.",
        en="“{name}” is not what its name says: {claimed} by name, {found} inside.",
    ),
    "encrypted": Text(
        ru="«{name}» защищён паролем. Снимите пароль и приложите файл снова.",
        uk="«{name}» захищено паролем. Зніміть пароль і додайте файл ще раз.",
        en="“{name}” is protected by a password. Remove it and attach the file again.",
    ),
    "no_text": Text(
        ru="В «{name}» нет текста: похоже, это скан. Приложите страницы как изображения для модели, "
        "которая их видит, или распознанный документ.",
        uk="У «{name}» немає тексту: схоже, це скан. Додайте сторінки як зображення для моделі, яка "
        "їх бачить, або розпізнаний документ.",
        en="There is no text in “{name}”: it looks like a scan. Attach the pages as images for a "
        "model that can see, or a recognised document.",
    ),
    "scan": Text(
        ru="В «{name}» только картинки страниц, а программы Tesseract, которая читает их, здесь нет. "
        "Приложите распознанный документ или страницы картинками для модели, которая их видит.",
        uk="У «{name}» лише зображення сторінок, а програми Tesseract, яка читає їх, тут немає. "
        "Додайте розпізнаний документ або сторінки зображеннями для моделі, яка їх бачить.",
        en="“{name}” holds only pictures of its pages, and Tesseract, which reads them, is not installed "
        "here. Attach a recognised document, or the pages as images for a model that can see.",
    ),
    "damaged": Text(
        ru="Файл «{name}» повреждён и не читается.",
        uk="Файл «{name}» пошкоджено, його не вдалося прочитати.",
        en="“{name}” is damaged and cannot be read.",
    ),
    "unpacks_too_large": Text(
        ru="«{name}» распаковывается больше чем в {limit_mb} МБ, поэтому не открыт.",
        uk="«{name}» розпаковується у понад {limit_mb} МБ, тому його не відкрито.",
        en="“{name}” unpacks to more than {limit_mb} MB, so it was not opened.",
    ),
    "too_many_pages": Text(
        ru="В «{name}» слишком много страниц: {pages} при пределе {limit}.",
        uk="У «{name}» забагато сторінок: {pages}, а можна до {limit}.",
        en="“{name}” has too many pages: {pages}, and the limit is {limit}.",
    ),
    "too_long": Text(
        ru="В «{name}» слишком много текста: больше {limit} знаков. Приложите нужную часть.",
        uk="У «{name}» забагато тексту: понад {limit} знаків. Додайте потрібну частину.",
        en="There is too much text in “{name}”: over {limit} characters. Attach the part you need.",
    ),
    "too_many_pixels": Text(
        ru="Изображение «{name}» слишком велико: {width} × {height} точек. Уменьшите его.",
        uk="Зображення «{name}» завелике: {width} × {height} пікселів. Зменште його.",
        en="The image “{name}” is too large: {width} × {height} pixels. Scale it down.",
    ),
    "no_vision": Text(
        ru="Модель {model} не видит изображений. Выберите модель со зрением, чтобы отправить «{name}».",
        uk="Модель {model} не бачить зображень. Виберіть модель із зором, щоб надіслати «{name}».",
        en="{model} cannot see images. Choose a model with vision to send “{name}”.",
    ),
    "too_slow": Text(
        ru="«{name}» не удалось прочитать за {seconds} с.",
        uk="«{name}» не вдалося прочитати за {seconds} с.",
        en="“{name}” could not be read within {seconds} s.",
    ),
    "too_complex": Text(
        ru="«{name}» требует слишком много памяти, чтобы его прочитать.",
        uk="Щоб прочитати «{name}», потрібно забагато пам’яті.",
        en="Reading “{name}” takes too much memory.",
    ),
}

KIND_NAMES: dict[str, Text] = {
    "text": Text(ru="текст", uk="текст", en="text"),
    "pdf": Text(ru="документ PDF", uk="документ PDF", en="a PDF document"),
    "docx": Text(ru="документ DOCX", uk="документ DOCX", en="a DOCX document"),
    "pptx": Text(ru="презентация PPTX", uk="презентація PPTX", en="a PPTX presentation"),
    "xlsx": Text(ru="таблица XLSX", uk="таблиця XLSX", en="an XLSX workbook"),
    "epub": Text(ru="книга EPUB", uk="книга EPUB", en="an EPUB book"),
    "image": Text(ru="изображение", uk="зображення", en="an image"),
    "heic": Text(ru="снимок HEIC", uk="знімок HEIC", en="a photo in HEIC"),
    "zip": Text(ru="архив", uk="архів", en="an archive"),
    "binary": Text(ru="двоичные данные", uk="двійкові дані", en="binary data"),
}


def refusal_text(reason: str, facts: Mapping[str, Any]) -> Text:
    """What to tell the person whose file it is: an AttachmentRefused's `reason` and `facts`."""
    template = TEXTS[reason]
    said = {}
    for language in ("ru", "uk", "en"):
        words = {
            key: KIND_NAMES[str(value)][language] if key in ("claimed", "found") else value
            for key, value in facts.items()
        }
        said[language] = template[language].format(**words)
    return Text(**said)


SILENT, SILENT_SCAN = (
    Text(
        ru="Без текста: с. {pages}. Tesseract на них ничего не прочёл.",
        uk="Без тексту: с. {pages}. Tesseract на них нічого не прочитав.",
        en="Without text: p. {pages}. Tesseract read nothing on them.",
    ),
    Text(
        ru="Без текста: с. {pages}, скорее всего это картинки. Их читает Tesseract: установите его, "
        "удалите документ и добавьте снова.",
        uk="Без тексту: с. {pages}, найімовірніше це зображення. Їх читає Tesseract: установіть його, "
        "видаліть документ і додайте знову.",
        en="Without text: p. {pages}, most likely pictures. Tesseract reads such pages: install it, delete "
        "the document and add it again.",
    ),
)


def silent_text(pages: Sequence[int], *, read: bool | None = None) -> Text:
    """Which pages of a document have no text, and what can be done; `read`: Tesseract is here and has seen
    them."""
    read = shutil.which("tesseract") is not None if read is None else read
    return (SILENT if read else SILENT_SCAN).format(pages=page_spans(pages))
