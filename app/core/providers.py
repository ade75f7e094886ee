"""The kinds of model servers there are, a row each.

What varies from one to the next is a fact in its row: the settings, `.env.example`, the tables of the
docs, the guide's form, the servers panel and doctor are made from the rows, and the adapters read them.
"""

import ipaddress
import re
import string
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Protocol
from urllib.parse import urlsplit

from app.core.errors import KeyUnusable, SettingsInvalid
from app.core.models import Capability
from app.core.text import Text, same


class ModelNames(Protocol):
    """Maps both ways between an id on the wire and a model's name."""

    def name(self, id: str) -> str:
        """The name people see."""
        ...

    def id(self, name: str) -> str:
        """The id to send."""
        ...

    def capability(self, id: str) -> Capability | None:
        """What the id itself says the model is for."""
        ...


class PlainNames:
    """Ids are names."""

    def name(self, id: str) -> str:
        return id

    def id(self, name: str) -> str:
        return name

    def capability(self, id: str) -> Capability | None:
        return None


class FolderNames:
    """Yandex: `gpt://<folder>/yandexgpt-lite/latest` is seen as `yandexgpt-lite`.

    A version other than latest stays in the name (`yandexgpt/rc`). Embedding models are
    `emb://<folder>/text-search-doc/latest`, `emb://<folder>/text-embeddings-v2-query/latest`.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._schemes: dict[str, str] = {}

    def name(self, id: str) -> str:
        scheme, separator, rest = id.partition("://")
        if not separator:
            return id
        folder, _, model = rest.partition("/")
        if folder != self._folder:
            return id
        name = model.removesuffix("/latest")
        self._schemes[name] = scheme
        return name

    def id(self, name: str) -> str:
        if "://" in name:
            return name
        version = "" if "/" in name else "/latest"
        return f"{self._schemes.get(name, self._scheme(name))}://{self._folder}/{name}{version}"

    def capability(self, id: str) -> Capability | None:
        return Capability.EMBEDDING if id.startswith("emb://") else None

    def _scheme(self, name: str) -> str:
        return "emb" if name.startswith(("text-search-", "text-embeddings")) else "gpt"


@dataclass(frozen=True, slots=True)
class Preset:
    """How an OpenAI-compatible server is talked to; the adapter never asks who the server is."""

    name: str
    base_url: str
    auth: str = "Bearer"
    """The word before the key in `Authorization`."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent besides; in a row of the table `{folder}` stands for that field of the form."""
    names: ModelNames = field(default_factory=PlainNames)
    local: bool = False
    stream_usage: bool = True
    """Takes `stream_options.include_usage`."""
    completion_tokens_field: str = "max_tokens"
    embeddings_at_once: int = 128
    """Texts per embeddings request."""
    lists_all: bool = True
    """Whether a name missing in its list of models is a name it does not know."""
    key_path: str | None = None
    """A path that tells about the key, and so refuses a wrong one."""
    tokens_path: str = ""
    """Where a cloud counts the tokens of a text; those of one's own have `/tokenize` beside their `/v1`."""
    props: bool = False
    """Worth asking llama.cpp's `/props` for the window."""
    token_url: str = ""
    """Where the key is exchanged for a token that lasts for a while; empty: the key itself is sent."""
    scope: str = ""
    """What the token is asked for."""
    ca_file: str = ""
    """A file with the authorities that its certificate is trusted by, besides the usual ones."""
    functions: bool = False
    """Takes tools in their former shape, and contents as plain text."""
    at_once: int | None = None
    """Calls at once that one key is let make; the others wait here."""
    models: tuple[str, ...] = ()
    """Models that the settings name: there, whether the server lists them or has no list at all."""
    provider: str = "other"
    """The row it was made from."""


@dataclass(frozen=True, slots=True)
class FormField:
    """One thing to be told before a server can be used: a field of the guide's form, and a variable."""

    name: str
    label: Text
    variable: str | None = None
    """None where OPENAI_SERVERS holds it."""
    meaning: str = ""
    """For the docs, in English."""
    default: str = ""
    secret: bool = False
    required: bool = True
    asked: bool = True
    """Whether the guide asks for it."""


DEFAULT_REMEDY = Text(
    ru="Проверьте адрес, сеть и то, что сервер запущен.",
    uk="Перевірте адресу, мережу і те, що сервер запущено.",
    en="Check the address, the network, and that the server is running.",
)


@dataclass(frozen=True, slots=True)
class Provider:
    """One kind of model server."""

    name: str
    """Of the row, and of the server where there is but one of it."""
    label: Text
    preset: Preset | None = None
    """None where it speaks a protocol of its own: Ollama, the model inside the app."""
    fields: tuple[FormField, ...] = ()
    """The key first. None: it is not named in the guide's form."""
    names: Callable[[Mapping[str, str]], ModelNames] = lambda values: PlainNames()
    """The translation of its ids, by the form's values."""
    at_once: Callable[[Mapping[str, str]], int | None] = lambda values: None
    """Calls at once that a key of those values is let make; None for any number."""
    variable: str | None = None
    """The variable with a list of such servers."""
    by_default: bool = False
    """There without being asked for: its absence harms nobody who has another."""
    inside: bool = False
    """Runs inside the app: the guide has a way of its own for it."""
    remedy: Text = DEFAULT_REMEDY
    """What to do where it does not answer."""
    without_models: Text | None = None
    """What to do where it answers and has none; `{model}` is a suggestion."""
    keys_at: str | None = None
    """Where a person gets a key."""
    prices_at: str | None = None
    """Where its prices can be read."""
    as_of: date | None = None
    """When these facts were read; None: not checked against the provider itself yet."""
    quirks: tuple[str, ...] = ()
    """What is known to differ, for the docs, in English."""

    @property
    def key(self) -> FormField | None:
        """The field with the key."""
        return next((one for one in self.fields if one.name == "key"), None)

    @property
    def variables(self) -> tuple[FormField, ...]:
        """The fields that have a variable of their own."""
        return tuple(one for one in self.fields if one.variable)

    @property
    def env_lines(self) -> tuple[str, ...]:
        """What stands in `.env` for it."""
        if self.variables:
            return tuple(f"{one.variable}={one.default}" for one in self.variables if one.asked)
        url = next((one.default for one in self.fields if one.name == "url"), "")
        return (
            f"{self.variable}={self.name if url else 'name'}={url or 'http://host:port/v1|key'}",
        )

    def told(self, values: Mapping[str, str]) -> dict[str, str]:
        """The values of its fields as they are used, without what was copied along with them. Raises
        KeyUnusable."""
        told = {one.name: pasted(values.get(one.name) or one.default) for one in self.fields}
        for one in self.fields:
            if one.secret and told[one.name]:
                told[one.name] = checked_key(told[one.name], one.variable or one.name)
        return told

    def connection(self, values: Mapping[str, str]) -> Preset:
        """How to talk to it, told these values of its fields. Raises SettingsInvalid with the
        variable of one that is missing."""
        if self.preset is None:
            raise SettingsInvalid("provider", f"{self.name} is not named by a form")
        told = self.told(values)
        for one in self.fields:
            if one.required and not told[one.name]:
                beside = self.key.variable if self.key and one is not self.key else None
                why = f"needed beside {beside}" if beside else "missing"
                raise SettingsInvalid(one.variable or one.name, why)
        return replace(
            self.preset,
            base_url=base_of(told.get("url") or self.preset.base_url),
            headers={name: text.format_map(told) for name, text in self.preset.headers.items()},
            names=self.names(told),
            token_url=told.get("token_url") or self.preset.token_url,
            scope=told.get("scope") or self.preset.scope,
            ca_file=told.get("ca_file") or self.preset.ca_file,
            at_once=self.at_once(told) or self.preset.at_once,
        )


_INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_QUOTES = "\"'`«»“”„‘’"
_BEFORE_KEY = re.compile(
    r"(?:export\s+|set\s+)?[A-Z][A-Z0-9_]{0,60}(?:KEY|TOKEN|SECRET|CREDENTIALS)\s*=(?!=)\s*"
    r"|(?:proxy-)?authorization[\"']?\s*[:=]\s*"
    r"|(?:x-)?(?:goog-)?api[-_ ]?key[\"']?\s*[:=]\s*"
    r"|(?:bearer|api-key|basic|token)\s+",
    re.IGNORECASE,
)
_SHORTENED = re.compile(r"\.{3}|…|\*{3}|[•●]")


def pasted(text: str) -> str:
    """What was copied, without what comes along with it: blanks, quotes and brackets around it, characters
    that nobody sees, a comma or semicolon at its end."""
    text = text.translate(dict.fromkeys(map(ord, _INVISIBLE)))
    around = _QUOTES + string.whitespace + "\xa0\u202f"
    text = text.strip(around).rstrip(",;").strip(around)
    bracketed = len(text) > 1 and text[0] + text[-1] in ("<>", "[]", "()", "{}")
    return text[1:-1].strip(around) if bracketed else text


def checked_key(key: str, variable: str) -> str:
    """The key without what was copied along with it: `Authorization: Bearer sk-…`, `OPENAI_API_KEY="sk-…"`.
    Raises KeyUnusable with the variable where it cannot be one: shortened by dots or stars, a blank or a line
    end within, or a letter that only looks Latin; the key itself is not said."""
    key = pasted(key)
    while (before := _BEFORE_KEY.match(key)) and before.end() < len(key):
        key = pasted(key[before.end() :])
    if shortened := _SHORTENED.search(key):
        raise KeyUnusable(
            variable,
            f"character {shortened.start() + 1} of the key: it is shortened, as shown, not as given",
            shortened.start() + 1,
        )
    for place, letter in enumerate(key, start=1):
        if letter.isspace() or not letter.isprintable():
            why = "the key has a blank or a line end in its middle"
            raise KeyUnusable(variable, f"{why}, after character {place - 1}", place)
        if not letter.isascii():
            name = unicodedata.name(letter, "unknown").lower()
            why = f"character {place} of the key is no Latin letter but {letter!r} ({name})"
            raise KeyUnusable(variable, why, place)
    return key


def base_of(url: str) -> str:
    """The base of an endpoint's URL: without a trailing slash and `/chat/completions`."""
    return pasted(url).rstrip("/").removesuffix("/chat/completions").rstrip("/")


KEY = Text(ru="Ключ API", uk="Ключ API", en="API key")
FOLDER = Text(ru="Идентификатор каталога", uk="Ідентифікатор каталогу", en="Folder ID")
ADDRESS = Text(ru="Адрес сервера", uk="Адреса сервера", en="Server address")
OTHER_SERVER = Text(ru="Другой сервер", uk="Інший сервер", en="Another server")


def _key(variable: str, meaning: str = "") -> FormField:
    return FormField("key", KEY, variable, meaning, secret=True)


def _cloud(
    name: str,
    label: str,
    base_url: str,
    variable: str,
    *,
    keys_at: str,
    prices_at: str,
    quirks: tuple[str, ...] = (),
    as_of: date | None = None,
    **facts: object,
) -> Provider:
    """A cloud that needs nothing but a key."""
    preset = replace(Preset(name, base_url, provider=name), **facts)  # type: ignore[arg-type]  # its own fields
    return Provider(
        name,
        same(label),
        preset,
        (_key(variable),),
        keys_at=keys_at,
        prices_at=prices_at,
        quirks=quirks,
        as_of=as_of,
    )


def _own(name: str, label: str, address: str, *, quirks: tuple[str, ...], as_of: date) -> Provider:
    """A server that people run themselves, at its usual address."""
    return Provider(
        name,
        same(label),
        Preset(name, "", provider=name),
        (
            FormField("url", ADDRESS, default=address),
            FormField("key", KEY, secret=True, required=False),
        ),
        variable="OPENAI_SERVERS",
        quirks=quirks,
        as_of=as_of,
    )


PROVIDERS: tuple[Provider, ...] = (
    Provider(
        "ollama",
        same("Ollama"),
        variable="OLLAMA_HOST",
        by_default=True,
        remedy=Text(
            ru="Запустите Ollama: ollama serve. Если она на другой машине, укажите её в OLLAMA_HOST.",
            uk="Запустіть Ollama: ollama serve. Якщо вона на іншій машині, вкажіть її в OLLAMA_HOST.",
            en="Start Ollama: ollama serve. If it is on another machine, name that in OLLAMA_HOST.",
        ),
        without_models=Text(
            ru="Моделей нет. Установите: python -m app models pull {model}",
            uk="Моделей немає. Встановіть: python -m app models pull {model}",
            en="It has no models. Get one: python -m app models pull {model}",
        ),
    ),
    Provider(
        "yandex",
        same("Yandex AI Studio"),
        Preset(
            "yandex",
            "https://ai.api.cloud.yandex.net/v1",
            auth="Api-Key",
            headers={"x-data-logging-enabled": "false", "OpenAI-Project": "{folder}"},
            embeddings_at_once=1,
            lists_all=False,  # tuned models and older names work unlisted
            provider="yandex",
        ),
        (
            _key("YANDEX_API_KEY", "The API key of a Yandex Cloud service account"),
            FormField(
                "folder",
                FOLDER,
                "YANDEX_FOLDER_ID",
                "The Yandex Cloud folder the key works in; needed with the key",
            ),
            FormField(
                "url",
                ADDRESS,
                "API_ENDPOINT",
                "Another OpenAI-compatible base address for `yandex`; one ending in "
                "`/chat/completions` is accepted",
                default="https://ai.api.cloud.yandex.net/v1",
                asked=False,
            ),
        ),
        names=lambda values: FolderNames(values["folder"]),
        keys_at="https://aistudio.yandex.ru",
        prices_at="https://yandex.cloud/ru/docs/ai-studio/pricing",
        quirks=(
            "models are named without their folder; requests are kept out of Yandex' logs; "
            "embeddings go one text a request",
        ),
        as_of=date(2026, 8, 1),
    ),
    Provider(
        "gigachat",
        Text(ru="GigaChat (Сбер)", uk="GigaChat (Сбер)", en="GigaChat (Sber)"),
        Preset(
            "gigachat",
            "https://gigachat.devices.sberbank.ru/api/v1",
            stream_usage=False,  # comes unasked, in the last chunk but one
            embeddings_at_once=1,  # usage is told for each text by itself
            token_url="https://ngw.devices.sberbank.ru:9443/api/v2/oauth",  # noqa: S106  # an address
            functions=True,
            tokens_path="/tokens/count",
            provider="gigachat",
        ),
        (
            FormField(
                "key",
                Text(ru="Ключ авторизации", uk="Ключ авторизації", en="Authorization key"),
                "GIGACHAT_CREDENTIALS",
                "The authorization key of a GigaChat API project; exchanged for tokens of 30 minutes",
                secret=True,
            ),
            FormField(
                "scope",
                Text(ru="Версия API (scope)", uk="Версія API (scope)", en="API version (scope)"),
                "GIGACHAT_SCOPE",
                "`GIGACHAT_API_PERS` for persons (one call at a time), `GIGACHAT_API_B2B` or "
                "`GIGACHAT_API_CORP` for companies (ten)",
                default="GIGACHAT_API_PERS",
                required=False,
            ),
            FormField(
                "ca_file",
                Text(
                    ru="Файл с сертификатами Минцифры",
                    uk="Файл із сертифікатами Мінцифри",
                    en="File with the authorities of its certificate",
                ),
                "GIGACHAT_CA_BUNDLE_FILE",
                "A PEM file with the Russian Trusted Root CA, which signs the certificates of GigaChat's "
                "servers and is not among the usual authorities",
                required=False,
                asked=False,
            ),
            FormField(
                "url",
                ADDRESS,
                "GIGACHAT_BASE_URL",
                "Another base address for `gigachat`",
                default="https://gigachat.devices.sberbank.ru/api/v1",
                asked=False,
            ),
            FormField(
                "token_url",
                ADDRESS,
                "GIGACHAT_AUTH_URL",
                "Another address that `gigachat`'s key is exchanged at",
                default="https://ngw.devices.sberbank.ru:9443/api/v2/oauth",
                asked=False,
            ),
        ),
        at_once=lambda values: 1 if values["scope"].endswith("_PERS") else 10,
        remedy=Text(
            ru="Проверьте сеть. Сертификаты серверов GigaChat подписаны Минцифры: укажите файл с корневым сертификатом в GIGACHAT_CA_BUNDLE_FILE.",
            uk="Перевірте мережу. Сертифікати серверів GigaChat підписані Мінцифри: вкажіть файл із кореневим сертифікатом у GIGACHAT_CA_BUNDLE_FILE.",
            en="Check the network. The certificates of GigaChat's servers are signed by the Russian Trusted Root CA: name its file in GIGACHAT_CA_BUNDLE_FILE.",
        ),
        keys_at="https://developers.sber.ru/studio",
        prices_at="https://developers.sber.ru/docs/ru/gigachat/tariffs/individual-tariffs",
        quirks=(
            "tools go in their former shape, as functions; one system message, at the beginning; "
            "no pictures; `precached_prompt_tokens` come beside the prompt's and cost nothing; tokens are "
            "counted at `/tokens/count`; a refused subject ends with `blacklist`; prices are those of the "
            'package that was bought: write them into `prices.toml`, with `cached = "0"`',
        ),
        as_of=date(2026, 11, 29),
    ),
    _cloud(
        "openai",
        "OpenAI",
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        keys_at="https://platform.openai.com/api-keys",
        prices_at="https://platform.openai.com/docs/pricing",
        quirks=(
            "models that think take `max_completion_tokens` and no temperature of one's own; the list of "
            "models tells when each is shut down; some stream to verified organizations alone",
        ),
        as_of=date(2026, 11, 29),
        completion_tokens_field="max_completion_tokens",
    ),
    _cloud(
        "deepseek",
        "DeepSeek",
        "https://api.deepseek.com/v1",
        "DEEPSEEK_API_KEY",
        keys_at="https://platform.deepseek.com/api_keys",
        prices_at="https://api-docs.deepseek.com/quick_start/pricing",
        quirks=(
            "comments keep a waiting connection open; no `json_schema`; `deepseek-chat` and "
            "`deepseek-reasoner` went in July 2026, `deepseek-v4-flash` does both",
        ),
        as_of=date(2026, 11, 30),
    ),
    _cloud(
        "openrouter",
        "OpenRouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        keys_at="https://openrouter.ai/settings/keys",
        prices_at="https://openrouter.ai/models",
        quirks=("prices, windows and abilities come from its own list",),
        as_of=date(2026, 11, 29),
        headers={"X-Title": "Konsilium"},
        key_path="/key",
    ),
    _cloud(
        "proxyapi",
        "ProxyAPI",
        "https://api.proxyapi.ru/openai/v1",
        "PROXYAPI_API_KEY",
        keys_at="https://console.proxyapi.ru/keys",
        prices_at="https://proxyapi.ru/pricing",
        quirks=("OpenAI's models under their own names",),
        as_of=date(2026, 11, 29),
    ),
    _cloud(
        "vsegpt",
        "VseGPT",
        "https://api.vsegpt.ru/v1",
        "VSEGPT_API_KEY",
        keys_at="https://vsegpt.ru/User/API",
        prices_at="https://vsegpt.ru/Docs/Models",
        quirks=(
            "models are named with their vendor, `openai/gpt-4o-mini`; about one request a second",
        ),
        as_of=date(2026, 11, 29),
    ),
    _cloud(
        "polza",
        "Polza.ai",
        "https://polza.ai/api/v1",
        "POLZA_API_KEY",
        keys_at="https://polza.ai/dashboard/api-keys",
        prices_at="https://polza.ai/models",
        quirks=("models are named with their vendor; GigaChat's, too, without its certificate",),
        as_of=date(2026, 11, 29),
    ),
    _cloud(
        "aitunnel",
        "AITunnel",
        "https://api.aitunnel.ru/v1",
        "AITUNNEL_API_KEY",
        keys_at="https://aitunnel.ru/panel",
        prices_at="https://aitunnel.ru",
        quirks=("models of many vendors under plain names, `gpt-4o`",),
        as_of=date(2026, 11, 30),
    ),
    _cloud(
        "anthropic",
        "Anthropic",
        "https://api.anthropic.com/v1",
        "ANTHROPIC_API_KEY",
        keys_at="https://console.anthropic.com/settings/keys",
        prices_at="https://www.anthropic.com/pricing",
        quirks=(
            "the OpenAI form; the list of models wants the key in a header of its own; newer models take a temperature or a top_p, not both; a temperature of at most 1; one answer at a time",
        ),
        as_of=date(2026, 11, 29),
        headers={"x-api-key": "{key}", "anthropic-version": "2023-06-01"},
    ),
    _cloud(
        "gemini",
        "Google Gemini",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "GEMINI_API_KEY",
        keys_at="https://aistudio.google.com/apikey",
        prices_at="https://ai.google.dev/gemini-api/docs/pricing",
        quirks=(
            "the OpenAI form; a stream's usage comes unasked; tokens of thinking are in the total only",
        ),
        as_of=date(2026, 11, 30),
    ),
    _cloud(
        "mistral",
        "Mistral",
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        keys_at="https://console.mistral.ai/api-keys",
        prices_at="https://mistral.ai/pricing",
        quirks=(
            "unknown fields are refused with 422, those of messages (`name`, `reasoning_content`), too; user and assistant alternate",
        ),
        as_of=date(2026, 11, 29),
    ),
    _cloud(
        "groq",
        "Groq",
        "https://api.groq.com/openai/v1",
        "GROQ_API_KEY",
        keys_at="https://console.groq.com/keys",
        prices_at="https://groq.com/pricing",
        quirks=(
            "usage of a stream may come in `x_groq`; names of messages, `logprobs`, `logit_bias` are refused",
        ),
        as_of=date(2026, 11, 29),
    ),
    _cloud(
        "xai",
        "xAI",
        "https://api.x.ai/v1",
        "XAI_API_KEY",
        keys_at="https://console.x.ai",
        prices_at="https://docs.x.ai/docs/models",
        quirks=(
            "tokens of thinking stand beside the completion tokens; models that think take no `stop` and no penalties",
        ),
        as_of=date(2026, 11, 29),
    ),
    _cloud(
        "together",
        "Together",
        "https://api.together.ai/v1",
        "TOGETHER_API_KEY",
        keys_at="https://api.together.ai/settings/api-keys",
        prices_at="https://www.together.ai/pricing",
        quirks=("the list of models is a bare list",),
        as_of=date(2026, 11, 29),
    ),
    _own(
        "lmstudio",
        "LM Studio",
        "http://localhost:1234/v1",
        quirks=(
            "a model loads at its first question; thinking stays in the text, in its tags, unless its "
            "developer settings set it apart; gpt-oss' comes apart in any case",
        ),
        as_of=date(2026, 11, 30),
    ),
    _own(
        "vllm",
        "vLLM",
        "http://localhost:8000/v1",
        quirks=(
            "its list tells the window, and `/tokenize` counts; thinking stays in the text unless it was "
            "started with `--reasoning-parser`, and is called `reasoning` then, `reasoning_content` before",
        ),
        as_of=date(2026, 11, 30),
    ),
    _own(
        "llamacpp",
        "llama.cpp (llama-server)",
        "http://localhost:8080/v1",
        quirks=(
            "`/props` tells the window, and `/tokenize` counts; usage may come as `timings` alone; comments "
            "keep a waiting connection open",
        ),
        as_of=date(2026, 11, 30),
    ),
    Provider(
        "other",
        OTHER_SERVER,
        Preset("other", ""),
        (FormField("url", ADDRESS), FormField("key", KEY, secret=True, required=False)),
        variable="OPENAI_SERVERS",
    ),
    Provider(
        "embedded",
        Text(ru="Встроенная модель", uk="Вбудована модель", en="The embedded model"),
        variable="EMBEDDED_MODEL",
        inside=True,
        remedy=Text(
            ru="Что это значит и что делать — в docs/embedded.md.",
            uk="Що це означає і що робити — у docs/embedded.md.",
            en="What that means and what to do is in docs/embedded.md.",
        ),
    ),
)

OTHER = "other"


def provider_of(name: str, providers: Iterable[Provider] = PROVIDERS) -> Provider:
    """The row of that name; `other` where there is none."""
    rows = {one.name: one for one in providers}
    return rows.get(name) or rows[OTHER]


PRESETS: Mapping[str, Preset] = {one.name: one.preset for one in PROVIDERS if one.preset}


def any_server(name: str, base_url: str, models: tuple[str, ...] = ()) -> Preset:
    """A server given by its URL, with the models that it is known to have; one on this machine or
    network counts as local."""
    local = is_local(base_url)
    return Preset(name, base_of(base_url), local=local, props=local, models=models)


def is_local(url: str) -> bool:
    """Whether the URL leads to this machine or a private network: such a model costs nothing."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".lan", ".internal", ".localhost"))
    return address.is_private or address.is_loopback or address.is_link_local
