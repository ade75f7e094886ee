"""python -m app reference: the parts of .env.example and docs/settings.md made from the providers' table."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.cli.terminal import Terminal
from app.core.providers import PROVIDERS, Provider
from app.core.text import Text

ROOT = Path(__file__).parents[2]
ENV, DOCS = ROOT / ".env.example", ROOT / "docs" / "settings.md"

ENV_MARKS = ("# -- keys of clouds", "# -- end of clouds")
DOCS_MARKS = ("<!-- clouds: python -m app reference -->", "<!-- end of clouds -->")

WRITTEN = Text(ru="Записан {path}", uk="Записано {path}", en="{path} is written")


def register(subparsers: Any) -> None:
    """Adds the command."""
    command = subparsers.add_parser(
        "reference", help="writes the table of providers into .env.example and docs/settings.md"
    )
    command.set_defaults(run=write)


def write(_args: argparse.Namespace, terminal: Terminal) -> int:
    """Writes both files anew."""
    for path, renewed in renewed_files(PROVIDERS).items():
        path.write_text(renewed, encoding="utf-8")
        terminal.say(WRITTEN.format(path=path.relative_to(ROOT)))
    return 0


def renewed_files(providers: Sequence[Provider]) -> dict[Path, str]:
    """Each file as it should be with these providers."""
    clouds = [one for one in providers if one.variables]
    return {
        ENV: _between(ENV, ENV_MARKS, "\n".join(_env(one) for one in clouds)),
        DOCS: _between(DOCS, DOCS_MARKS, _docs(clouds, [one for one in providers if one.quirks])),
    }


def _between(path: Path, marks: tuple[str, str], middle: str) -> str:
    text = path.read_text(encoding="utf-8")
    before, first, rest = text.partition(marks[0])
    heading, newline, _ = rest.partition("\n")
    _, last, after = rest.partition(marks[1])
    if not (first and last):
        raise ValueError(f"{path}: the marks {marks} are missing")
    return f"{before}{first}{heading}{newline}{middle}{last}{after}"


def _env(provider: Provider) -> str:
    lines = [f"# {provider.label['en']}: the server `{provider.name}`. Keys: {provider.keys_at}"]
    lines += [f"# {one.variable}={one.default}" for one in provider.variables]
    return "\n".join(lines) + "\n"


def _docs(clouds: Sequence[Provider], known: Sequence[Provider]) -> str:
    rows = [
        f"| `{one.variable}` | {f'`{one.default}`' if one.default else ''} | {_meaning(cloud, one.meaning)} |"
        for cloud in clouds
        for one in cloud.variables
    ]
    notes = [
        f"- `{one.name}`: {'; '.join([_where(one), *one.quirks])}"
        + (f" (as of {one.as_of})" if one.as_of else " (not checked against the server itself)")
        for one in known
    ]
    return "\n".join(
        [
            "",
            "| variable | default | meaning |",
            "|---|---|---|",
            *rows,
            "",
            "What is known of each:",
            "",
            *notes,
            "",
            "",
        ]
    )


def _where(provider: Provider) -> str:
    if provider.keys_at:
        return f"[keys]({provider.keys_at}), [prices]({provider.prices_at})"
    address = next(one.default for one in provider.fields if one.name == "url")
    return f"one's own, usually at `{address}`"


def _meaning(cloud: Provider, meaning: str) -> str:
    return meaning or f"A key of {cloud.label['en']}; brings the server `{cloud.name}`"
