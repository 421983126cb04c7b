"""Who may see the page, what it may do there, and what is left of it without scripts."""

from __future__ import annotations

import re
import urllib.parse

import pytest
from agent import ENDPOINT
from conftest import MakeHost, OpenPage
from host import Host
from playwright.sync_api import expect
from watch import Watched

SAME = "the page and its rules are the same whatever the agent runs on"
TOKEN = "correct-horse-battery"


def policy(host: Host) -> dict[str, list[str]]:
    parts = host.agent.headers("/")["content-security-policy"].split(";")
    return {words[0]: words[1:] for part in parts if (words := part.split())}


@pytest.mark.linux(SAME)
def test_the_policy_lets_nothing_in_but_the_agents_own_files(host: Host) -> None:
    rules = policy(host)
    assert rules["default-src"] == ["'none'"], rules
    for name, sources in rules.items():
        assert set(sources) <= {"'none'", "'self'", "data:"}, (name, sources)
    assert "data:" not in rules.get("script-src", []), rules
    for name in ("base-uri", "form-action", "frame-ancestors"):
        assert rules.get(name) == ["'none'"], (name, rules)
    headers = host.agent.headers("/")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


@pytest.mark.linux(SAME)
def test_the_page_has_no_script_or_style_of_its_own_in_it(host: Host) -> None:
    text = host.agent.get("/").decode()
    scripts = re.findall(r"<script\b([^>]*)>(.*?)</script>", text, re.S)
    assert scripts and all("src=" in attributes and not body.strip() for attributes, body in scripts), scripts
    assert not re.search(r"<style\b|\sstyle=|\son[a-z]+=", text), "inline style or handler"
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", text), "something from elsewhere"


def test_a_whole_visit_asks_for_nothing_but_the_agents_own_paths(host: Host, page: Watched) -> None:
    page.open_row(page.find("cpu.idle").first)
    page.page.locator("#lang").focus()
    page.until("the list of series again", lambda: len([url for url in page.requests if "/ui/series" in url]) > 1)
    paths = {url.removeprefix(host.agent.origin).split("?")[0] for url in page.requests}
    assert all(path == "/" or path.startswith("/ui/") for path in paths), paths
    assert {"/", "/ui/state", "/ui/live", "/ui/series", "/ui/history"} <= paths, paths


def test_a_visit_changes_nothing(host: Host, page: Watched) -> None:
    config = host.agent.json("/config")
    page.search("mem")
    page.page.reload()
    page.ready()
    assert host.agent.json("/config") == config


@pytest.fixture(scope="module")
def guarded(make_host: MakeHost) -> Host:
    return make_host(token=TOKEN)


@pytest.mark.linux(SAME)
def test_the_token_of_the_agent_is_what_the_browser_asks_its_user_for(guarded: Host, new_page: OpenPage) -> None:
    page = new_page(guarded.agent, http_credentials={"username": "anybody", "password": TOKEN}).open()
    expect(page.page.locator("body")).to_contain_text(ENDPOINT)
    page.moves()


@pytest.mark.linux(SAME)
@pytest.mark.parametrize("path", ["/", "/ui/page.js", "/ui/state", "/ui/live", "/ui/series", "/ui/history?id=1"])
def test_without_the_token_nothing_of_it_is_shown(guarded: Host, path: str) -> None:
    assert guarded.agent.status(path) == 401


@pytest.mark.linux(SAME)
def test_without_scripts_the_page_says_where_to_look(host: Host, new_page: OpenPage) -> None:
    page = new_page(host.agent, java_script_enabled=False)
    page.page.goto(host.agent.origin + "/")
    said = page.page.locator("noscript")
    expect(said).to_be_visible()
    links = said.locator("a")
    targets = [links.nth(n).get_attribute("href") for n in range(links.count())]
    assert len(targets) >= 2, targets
    for target in targets:
        url = urllib.parse.urljoin(host.agent.origin + "/", target)
        assert host.agent.get(url.removeprefix(host.agent.origin))


@pytest.mark.parametrize("path", ["/health", "/version", "/page/memory", "/proc/kernel/hostname", "/workdir"])
def test_the_go_agents_pages_are_still_there(host: Host, path: str) -> None:
    assert host.agent.get(path)
