"""Whether each way of the guide can work here and now, found out before anybody walks it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from app.core.concurrency import BackgroundTasks
from app.core.models import ServerState
from app.core.providers import PROVIDERS, Provider, provider_of
from app.core.text import Language, Text

AGAIN_SECONDS = 30.0
"""How long what was found out is believed."""

CHECKING = Text(ru="Проверяем…", uk="Перевіряємо…", en="Checking…")
OLLAMA_UP = Text(ru="Ollama отвечает", uk="Ollama відповідає", en="Ollama answers")
OLLAMA_DOWN = Text(
    ru="Ollama здесь пока не отвечает",
    uk="Ollama тут поки не відповідає",
    en="No Ollama answers here yet",
)
NO_WAY_OUT = Text(
    ru="Ollama здесь не отвечает, и интернета отсюда нет: установите её с другого носителя",
    uk="Ollama тут не відповідає, і інтернету звідси немає: встановіть її з іншого носія",
    en="No Ollama answers here, and there is no internet from here: install it from elsewhere",
)
CLOUD_UP = Text(
    ru="{host} отвечает отсюда", uk="{host} відповідає звідси", en="{host} can be reached from here"
)
CLOUD_DOWN = Text(
    ru="{host} отсюда недоступен: проверьте сеть или прокси (HTTPS_PROXY)",
    uk="{host} звідси недоступний: перевірте мережу або проксі (HTTPS_PROXY)",
    en="{host} cannot be reached from here: check the network or the proxy (HTTPS_PROXY)",
)
HUB_UP = CLOUD_UP
HUB_DOWN = Text(
    ru="Хранилище моделей {host} отсюда недоступно: скачать модель не выйдет. Положите файл GGUF на "
    "эту машину и выберите его в панели «Модели и серверы» или в EMBEDDED_MODEL; зеркало — в MODEL_HUB",
    uk="Сховище моделей {host} звідси недоступне: завантажити модель не вийде. Покладіть файл GGUF на "
    "цю машину й виберіть його в панелі «Моделі та сервери» чи в EMBEDDED_MODEL; дзеркало — в MODEL_HUB",
    en="The model hub {host} cannot be reached from here, so nothing can be downloaded. Put a GGUF "
    "file on this machine and choose it in the panel “Models and servers” or in EMBEDDED_MODEL; a mirror goes into MODEL_HUB",
)


class SetupWays:
    """Asks addresses as the guide needs them; what it knows is read without waiting."""

    def __init__(
        self,
        reachable: Callable[[str], Awaitable[bool]],
        hub_url: str,
        providers: Sequence[Provider] = PROVIDERS,
    ) -> None:
        """`reachable`: whether an address answers, within 3 s."""
        self._reachable = reachable
        self._hub_url = hub_url
        self._providers = providers
        self._found: dict[str, tuple[float, bool]] = {}
        self._asking = BackgroundTasks()

    def look(self, provider: str) -> None:
        """Finds out about the hub and that provider; returns at once."""
        for url in (self._hub_url, _address(provider_of(provider, self._providers))):
            if url and not self._asking.find(url) and self._is_old(url):
                self._asking.start(self._ask(url), url)

    def props(
        self, states: Sequence[ServerState], provider: str, language: Language
    ) -> dict[str, Mapping[str, Any]]:
        """For each way: `ok` (None while it is being found out) and a sentence; empty for a cloud whose
        address is not known before."""
        ollama = next((s for s in states if s.provider == "ollama" and s.reachable), None)
        hub = self._known(self._hub_url)
        address = _address(provider_of(provider, self._providers))
        cloud = self._known(address) if address else None
        online = None if hub is None and cloud is None else bool(hub or cloud)
        return {
            "ollama": _said(True, OLLAMA_UP, language)
            if ollama
            else _said(False, NO_WAY_OUT if online is False else OLLAMA_DOWN, language),
            "cloud": _at(address, cloud, CLOUD_UP, CLOUD_DOWN, language) if address else {},
            "embedded": _at(self._hub_url, hub, HUB_UP, HUB_DOWN, language),
        }

    def _known(self, url: str) -> bool | None:
        return self._found[url][1] if url in self._found else None

    def _is_old(self, url: str) -> bool:
        found = self._found.get(url)
        return found is None or asyncio.get_running_loop().time() - found[0] > AGAIN_SECONDS

    async def _ask(self, url: str) -> None:
        answers = await self._reachable(url)
        self._found[url] = (asyncio.get_running_loop().time(), answers)


def _address(provider: Provider) -> str:
    return provider.preset.base_url if provider.preset else ""


def _at(
    url: str, answers: bool | None, up: Text, down: Text, language: Language
) -> Mapping[str, Any]:
    if answers is None:
        return _said(None, CHECKING, language)
    return _said(answers, (up if answers else down).format(host=urlsplit(url).netloc), language)


def _said(ok: bool | None, text: Text, language: Language) -> Mapping[str, Any]:
    return {"ok": ok, "text": text[language]}
