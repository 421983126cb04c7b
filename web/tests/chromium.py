"""Chromium as it is started for tests and tools."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright

ARGS = ["--disable-gpu", "--no-first-run"]


@contextlib.contextmanager
def launched(address: str = "127.0.0.1") -> Iterator[Browser]:
    """No other host is there for it: what the page needs it has from the agent."""
    exe = shutil.which(os.environ.get("FALCON_BROWSER", "chromium"))
    assert exe, "FALCON_BROWSER must name Chromium"
    with sync_playwright() as playwright:
        args = [*ARGS, f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {address}"]
        # Its sandbox needs rights that a container does not give.
        browser = playwright.chromium.launch(executable_path=exe, args=args, chromium_sandbox=False)
        yield browser
        browser.close()
