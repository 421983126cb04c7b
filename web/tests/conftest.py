"""Fixtures: one browser for all tests, one host (agent, transfer, hbs) for each file, and pages under watch.

`FALCON_AGENT_EXE` is the executable, `FALCON_AGENT_RUNNER` a program that starts it (`wine`), `FALCON_BROWSER` is
Chromium, and screenshots are kept in `FALCON_PAGE_OUT`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from agent import ENDPOINT, IS_WINDOWS, PATIENCE, Agent
from servers import Hbs, Transfer
from watch import Watched

# No name but those of this host is looked up: what the page needs it has from the agent.
ARGS = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-gpu", "--no-first-run"]

expect.set_options(timeout=PATIENCE * 1000)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what the executable for Windows cannot show; a test that is skipped fails the step."""
    if not IS_WINDOWS:
        return
    left_out = [item for item in items if item.get_closest_marker("linux")]
    for item in left_out:
        print(f"not run: {item.name}, for {item.get_closest_marker('linux').args[0]}")
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@dataclass
class Host:
    agent: Agent
    transfer: Transfer
    hbs: Hbs


def configuration(transfer: Transfer, hbs: Hbs) -> dict[str, Any]:
    """The shortest intervals there are: a test waits for seconds, and not for minutes."""
    return {
        "hostname": ENDPOINT,
        "heartbeat": {"enabled": True, "addr": hbs.addr, "interval": 1, "timeout": 1000},
        "transfer": {
            "enabled": True,
            "addrs": [transfer.addr],
            "interval": 1,
            "timeout": 1000,
            "replay_delay": 0,
            "replay_speed": 0,
            "replay_pause": 0,
        },
    }


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    exe = shutil.which(os.environ.get("FALCON_BROWSER", "chromium"))
    assert exe, "FALCON_BROWSER must name Chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=exe, args=ARGS, chromium_sandbox=False)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shots() -> Path:
    folder = os.environ.get("FALCON_PAGE_OUT") or tempfile.mkdtemp(prefix="falcon-shots-")
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    return path


MakeHost = Callable[..., Host]


@pytest.fixture(scope="module")
def make_host() -> Iterator[MakeHost]:
    """Makes hosts of which a test wants more, or other ones, than `host`."""
    made: list[Host] = []

    def make(change: Callable[[dict[str, Any]], None] = lambda config: None, token: str = "") -> Host:
        transfer, hbs = Transfer(), Hbs()
        config = configuration(transfer, hbs)
        change(config)
        host = Host(Agent(config, token), transfer, hbs)
        made.append(host)
        return host

    yield make
    for host in made:
        host.agent.close()
        host.transfer.close()
        host.hbs.close()


@pytest.fixture(scope="module")
def host(make_host: MakeHost) -> Host:
    return make_host()


OpenPage = Callable[..., Watched]


@pytest.fixture
def new_page(browser: Browser) -> Iterator[OpenPage]:
    """Makes pages under watch, each in a profile of its own; none of them may have done anything wrong in the end."""
    pages: list[Watched] = []

    def make(agent: Agent, **options: Any) -> Watched:
        options = {"locale": "en-US", "color_scheme": "light", "viewport": {"width": 1440, "height": 1000}} | options
        page = Watched(browser.new_context(**options), agent)
        pages.append(page)
        return page

    yield make
    for page in pages:
        page.page.context.close()
    for page in pages:
        page.assert_clean()


@pytest.fixture
def page(new_page: OpenPage, host: Host) -> Watched:
    """The dashboard of this file's host: English, light, 1440 px wide."""
    return new_page(host.agent).open()
