"""The parts of the page beside charts and series: each tells what the agent tells, or is not there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from agent import IS_WINDOWS
from conftest import MakeHost
from host import Host
from playwright.sync_api import expect
from watch import Watched


@pytest.fixture(scope="module")
def closed() -> Iterator[int]:
    """A port that nobody listens on, and that nobody else is given."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture(scope="module")
def host(make_host: MakeHost, closed: int) -> Host:
    """With a port that nobody listens on, and one that somebody does."""

    def change(config: dict[str, Any]) -> None:
        open_port = int(config["transfer"]["addrs"][0].rpartition(":")[2])
        config["checks"] = {"ports": [str(open_port), str(closed)]}

    return make_host(change)


def values(host: Host, metric: str) -> list[tuple[str, float]]:
    return [(row[2], row[3]) for row in host.agent.json("/ui/series")["series"] if row[1] == metric]


def test_the_host_tells_its_name_its_version_and_its_processes(host: Host, page: Watched) -> None:
    state = host.agent.json("/ui/state")
    expect(page.page.locator("h1")).to_have_text(state["endpoint"])
    expect(page.page.locator("header")).to_contain_text(state["version"].split("@")[0])
    expect(page.page.locator("#top")).to_contain_text("%")
    assert state["endpoint"] in page.page.title()


def test_the_servers_are_told_by_their_addresses(host: Host, page: Watched) -> None:
    for addr in (host.transfer.addr, host.hbs.addr):
        expect(page.page.locator("main")).to_contain_text(addr)


def test_every_collector_is_among_the_sources(host: Host, page: Watched) -> None:
    names = [source["name"] for source in host.agent.json("/ui/state")["sources"]]
    assert "cpu" in names and len(names) > 5, names
    for name in names:
        expect(page.page.locator("#sources")).to_contain_text(name)


def test_checks_are_told_with_what_came_of_them(host: Host, page: Watched, closed: int) -> None:
    page.until("both ports", lambda: len(values(host, "net.port.listen")) == 2)
    assert sorted(value for _, value in values(host, "net.port.listen")) == [0, 1]
    checks = page.page.locator("#checks")
    for port in (closed, host.transfer.port):
        expect(checks).to_contain_text(str(port))


def test_what_the_host_does_not_have_takes_no_room(page: Watched) -> None:
    for part in ("#iis", "#sql"):
        expect(page.page.locator(part)).to_be_hidden()


def test_the_parts_of_another_system_are_not_shown(host: Host) -> None:
    assert host.agent.json("/ui/state")["os"] == ("windows" if IS_WINDOWS else "linux")
