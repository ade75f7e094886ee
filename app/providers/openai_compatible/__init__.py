"""Servers that speak OpenAI's protocol: clouds by presets, and any other by its URL."""

import ssl

from app.core.errors import SettingsInvalid
from app.core.ports import NewcomerServer
from app.core.providers import Preset, any_server
from app.providers.deadline import timeouts_for
from app.providers.openai_compatible.refused import RefusedParameters
from app.providers.openai_compatible.server import OpenAICompatibleServer


def connected(
    preset: Preset,
    key: str = "",
    *,
    first_token: float | None = None,
    refused: RefusedParameters | None = None,
) -> NewcomerServer:
    """The server; `first_token` as in `timeouts_for`; `refused` is shared by all of the process."""
    timeouts = timeouts_for(local=preset.local, first_token=first_token)
    return OpenAICompatibleServer(preset, key, timeouts=timeouts, refused=refused)


def check_authorities(preset: Preset, variable: str) -> None:
    """Raises SettingsInvalid with the variable where the file with its authorities cannot be read."""
    if not preset.ca_file:
        return
    try:
        ssl.create_default_context(cafile=preset.ca_file)
    except (OSError, ssl.SSLError) as error:
        why = f"no file with certificates: {error.strerror or error}"
        raise SettingsInvalid(variable, why) from error


__all__ = ["Preset", "RefusedParameters", "any_server", "check_authorities", "connected"]
