"""What EMBEDDED_MODEL may be: a file of this machine, or a file of a model hub."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from app.core.errors import SettingsInvalid

_HUB_FILE = re.compile(
    r"(?P<repo>[\w.-]+/[\w.-]+):(?P<file>[\w.-]+(/[\w.-]+)*)(@(?P<sha256>[0-9a-fA-F]{64}))?"
)


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file in a repository of the hub."""

    repo: str
    file: str
    sha256: str | None = None
    """Its checksum, where it was given; else the hub's word counts."""

    @property
    def name(self) -> str:
        return f"{self.repo}:{self.file}"

    def inside(self, folder: Path) -> Path:
        """Where it is kept below that folder."""
        return folder.joinpath(*PurePosixPath(self.repo).parts, *PurePosixPath(self.file).parts)


def source_of(value: str) -> HubFile | Path:
    """EMBEDDED_MODEL understood; a file that exists is one, whatever its name. Raises SettingsInvalid."""
    path = Path(value).expanduser()
    if path.exists() or not (match := _HUB_FILE.fullmatch(value.strip())):
        return path
    parts = [*match["repo"].split("/"), *match["file"].split("/")]
    if any(set(part) == {"."} for part in parts):
        raise SettingsInvalid("EMBEDDED_MODEL", f"{value!r} leads out of the folder of models")
    return HubFile(match["repo"], match["file"], match["sha256"] and match["sha256"].lower())
