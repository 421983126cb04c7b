"""Fixtures: one browser for all tests, one host (agent, transfer, hbs) for each file, and pages under watch.

`FALCON_AGENT_EXE` is the executable, `FALCON_AGENT_RUNNER` a program that starts it (`wine`), `FALCON_BROWSER` is
Chromium, and screenshots are kept in `FALCON_PAGE_OUT`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from agent import IS_WINDOWS, PATIENCE, Agent
from chromium import launched
from host import Change, Host
from playwright.sync_api import Browser, expect
from watch import Watched

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


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


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

    def make(change: Change = lambda config: None, token: str = "") -> Host:
        made.append(Host(change, token))
        return made[-1]

    yield make
    for host in made:
        host.close()


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
