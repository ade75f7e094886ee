"""axe-core, which finds what of a page breaks WCAG: fetched from npm once, read from the disk by the tests."""

import base64
import hashlib
import os
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page

from tests.processes import ROOT

VERSION = "4.14.1"
SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
SCRIPT = ROOT / ".venv" / ".axe" / f"axe-{VERSION}.min.js"

WCAG_22_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RUN = """async (tags) => {
  const only = { type: "tag", values: tags };
  const { violations } = await axe.run(document, { runOnly: only, resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map((one) => `${id}: ${one.html.slice(0, 200)}: ${one.failureSummary.split("\\n").slice(1).join(";")}`));
}"""
AT_REST = """() => document.getAnimations().every(
  (one) => one.playState !== "running" || one.effect.getComputedTiming().endTime === Infinity)"""
"""Whether all motion has ended but that which never does; a colour on its way has no contrast of its own."""


def script() -> str:
    """axe-core's source. Raises ValueError where npm gives another file than the pinned one."""
    if not SCRIPT.exists():
        SCRIPT.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=SCRIPT.parent) as folder:
            subprocess.run(
                ["npm", "pack", "--silent", f"axe-core@{VERSION}", "--pack-destination", folder],
                check=True,
                capture_output=True,
            )
            [packed] = Path(folder).glob("*.tgz")
            if base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode() != SHA512:
                raise ValueError(f"{packed.name} is not the file that was pinned")
            with tarfile.open(packed) as archive:
                archive.extract("package/axe.min.js", folder, filter="data")
            os.replace(
                Path(folder) / "package" / "axe.min.js", SCRIPT
            )  # whole, whoever else does it too
    return SCRIPT.read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """What breaks WCAG 2.2 AA on the page as it is, once nothing moves on it any more."""
    page.wait_for_function(AT_REST)
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(script())
    found: list[str] = page.evaluate(RUN, WCAG_22_AA)
    return found


def wait_for_no_violations(page: Page) -> None:
    """Waits until nothing on the page breaks WCAG 2.2 AA: what names a control comes a frame after it."""
    deadline = time.monotonic() + 10
    while found := violations(page):
        assert time.monotonic() < deadline, "\n".join(found)
