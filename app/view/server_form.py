"""The form that names a server: in the guide of the first run, and at any time in the panel of servers."""

import logging
from collections.abc import Mapping
from typing import Any

from app.access.people import People
from app.completion.registration import ModelServers
from app.core.errors import KonsiliumError
from app.core.models import ServerState
from app.core.ports import NewServer
from app.core.providers import PROVIDERS, Provider
from app.core.text import Language, Text
from app.view.chainlit.browser import ActionHandler, Browser, may_administer
from app.view.errors import join_failed

log = logging.getLogger(__name__)

FILE = "file"
"""In the place of a provider: a model's file on this machine, run inside the app."""
FILE_LABEL = Text(
    ru="Файл GGUF на этой машине", uk="Файл GGUF на цій машині", en="A GGUF file on this machine"
)
PATH_LABEL = Text(ru="Путь к файлу", uk="Шлях до файлу", en="Path of the file")
WORKS = Text(
    ru="Отвечает: {models}, отклик {ms} мс",
    uk="Відповідає: {models}, відгук {ms} мс",
    en="It answers: {models}, {ms} ms",
)
MODELS = Text(ru="моделей: {count}", uk="моделей: {count}", en="models: {count}")


class ServerForm:
    """Tests what was filled in and keeps it where it works; knows how that went, by page."""

    def __init__(self, servers: ModelServers, people: People) -> None:
        self._registration = servers.registration
        self._embedded = servers.embedded
        self._people = people
        self._saved: dict[str, dict[str, str]] = {}
        self._tested: dict[str, dict[str, dict[str, str]]] = {}

    @property
    def actions(self) -> dict[str, ActionHandler]:
        """Name -> handler(browser, payload)."""
        return {"save_key": self.save, "test_server": self.test}

    def status(self, browser: Browser) -> dict[str, str] | None:
        """How the last attempt stands: `state`, `text`, and the `attempt` that the page called it."""
        return dict(self._saved.get(browser.id, {})) or None

    def tests(self, browser: Browser) -> Mapping[str, Mapping[str, str]]:
        """By server: how its test stands."""
        return {name: dict(said) for name, said in self._tested.get(browser.id, {}).items()}

    def forget(self, browser: Browser) -> None:
        """The page is gone, or needs the form no more."""
        self._saved.pop(browser.id, None)
        self._tested.pop(browser.id, None)

    def kept(self) -> dict[str, dict[str, str]]:
        """What the form shows of each server that may be corrected: all but what is secret."""
        secret = {one.name: {f.name for f in one.fields if f.secret} for one in PROVIDERS}
        return {
            name: {"provider": new.provider}
            | {k: v for k, v in new.values.items() if k not in secret[new.provider]}
            for name, new in self._registration.kept.items()
        }

    async def providers(self, language: Language) -> list[dict[str, Any]]:
        """Those of the guide, and a file of this machine."""
        path = {"name": "path", "label": PATH_LABEL[language], "secret": False, "required": True}
        path |= {"default": "", "options": list(await self._embedded.found())}
        file = {
            "id": FILE,
            "label": FILE_LABEL[language],
            "fields": [path],
            "env": [],
            "keys_at": None,
        }
        return [*(provider_form(one, language) for one in PROVIDERS if one.fields), file]

    async def save(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """Tests the server and keeps it where that answers; the form says how it went."""
        if not await may_administer(self._people, browser):
            return
        values = {str(name): str(value or "").strip() for name, value in payload.items()}
        former, attempt = values.pop("former", ""), values.pop("attempt", "")
        status = self._saved[browser.id] = {"state": "testing", "attempt": attempt}
        new = NewServer(
            values.pop("provider", ""),
            values.pop("key", ""),
            values.pop("url", ""),
            name=values.pop("name", ""),
            fields=values,
        )
        try:
            if new.provider == FILE:
                await self._embedded.choose(values.get("path", ""))
            else:
                await self._registration.join(new, former or None)
            status["state"] = "kept"
        except KonsiliumError as error:
            log.warning("a new server was not kept: %s: %s", error.code, error.detail)
            text = join_failed(error, browser.language, self._registration.address(new))
            status |= {"state": "refused", "text": text}
        except BaseException:  # raised again: the form must not say "testing" for ever
            status["state"] = "refused"
            raise

    async def test(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """Asks a server and tries its key; its row in the panel says how that went."""
        if not await may_administer(self._people, browser):
            return
        name, language = str(payload.get("server", "")), browser.language
        said = self._tested.setdefault(browser.id, {})[name] = {"state": "testing"}
        try:
            said |= {"state": "good", "text": _works(await self._registration.test(name), language)}
        except KonsiliumError as error:
            said |= {
                "state": "bad",
                "text": join_failed(error, language, str(payload.get("url", ""))),
            }
        except BaseException:  # raised again
            said["state"] = "bad"
            raise


def _works(state: ServerState, language: Language) -> str:
    models = MODELS.format(count=len(state.models))[language]
    return WORKS.format(models=models, ms=round((state.latency_s or 0) * 1000))[language]


def provider_form(provider: Provider, language: Language) -> dict[str, Any]:
    """A provider as the form draws it."""
    return {
        "id": provider.name,
        "label": provider.label[language],
        "fields": [
            {
                "name": one.name,
                "label": one.label[language],
                "secret": one.secret,
                "required": one.required,
                "default": one.default,
            }
            for one in provider.fields
            if one.asked
        ],
        "env": list(provider.env_lines),
        "keys_at": provider.keys_at,
    }
