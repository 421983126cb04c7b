"""Figures that are right: those of a made-up host, of which each is known."""

from __future__ import annotations

import re
from typing import Any

import pytest
from conftest import OpenPage
from host import Host
from made import STEP, Made, says
from playwright.sync_api import Locator
from watch import Watched

pytestmark = pytest.mark.linux("the page reckons the same whatever the agent runs on")

MIB = 1024 * 1024


@pytest.fixture
def made(host: Host) -> Made:
    return Made(host.agent)


def figure(page: Watched, chart: str) -> str:
    (last,) = page.newest([chart])
    return (last or "").replace("\u00a0", " ")


def is_drawn(page: Watched, chart: str, wanted: str) -> None:
    page.until(f"{wanted} in {chart}, not {figure(page, chart)}", lambda: figure(page, chart) == wanted)


def cells(row: Locator) -> list[str]:
    return [text.replace("\u00a0", " ").strip() for text in row.locator("th, td").all_inner_texts()]


def value(page: Watched, id: int) -> list[str]:
    """What the table of series says of one: its rate, and its newest value."""
    cell = page.page.locator(f"#series tr[data-id='{id}'] td.n:not(.age)")
    return [text.replace("\u00a0", " ") for text in cell.locator("span").all_inner_texts() if text]


def has_value(page: Watched, id: int, wanted: list[str]) -> None:
    page.until(f"{wanted} of series {id}, not {value(page, id)}", lambda: value(page, id) == wanted)


def counter(*rates: float, start: float = 1000.0) -> list[float]:
    """The values of what grew by so much a second from one to the next."""
    values = [start]
    for rate in rates:
        values.append(values[-1] + rate * STEP)
    return values


def test_a_busy_processor_is_what_is_not_idle(made: Made, new_page: OpenPage, host: Host) -> None:
    made.add("cpu.idle", 90, 40, unit="%")
    made.add("mem.memused.percent", 10, 41.6, unit="%")
    made.add("load.1min", 1, 2.25)
    page = made.open(new_page(host.agent))
    is_drawn(page, "cpu", "60 %")
    is_drawn(page, "mem", "42 %")
    is_drawn(page, "load", "2.25")


def told(page: Watched, chart: str) -> set[str]:
    """The newest, the least and the greatest figure of all that is drawn, as it is told to who does not see it."""
    label = page.chart(chart).locator(".plot").get_attribute("aria-label") or ""
    return set(re.findall(r"[\d.,]+ (?:[kMG]?bit|[KMGT]?i?B)/s", label.replace("\u00a0", " ")))


def is_even(page: Watched, made: Made, chart: str, summed: dict[str, Any], wanted: str) -> None:
    """What the stream sums up is what is remembered too: from its first word on the whole line is as high as that."""
    says(page, {"t": made.now * 1000 + 1000, "up": 1, chart: summed})
    page.until(f"{wanted} alone in {chart}, not {told(page, chart)}", lambda: told(page, chart) == {wanted})
    assert page.points(chart) > 1


def cards(made: Made, rates: dict[str, float], tags: str = "idc=bj") -> None:
    for name, rate in rates.items():
        for way in ("in", "out"):
            values = counter(rate, rate, rate)
            made.add(f"net.if.{way}.bytes", *values, tags=f"iface={name},{tags}", kind="COUNTER", unit="B")


def test_traffic_is_bits_a_second_of_the_cards_that_the_stream_names(
    made: Made, new_page: OpenPage, host: Host
) -> None:
    # What would count twice, or never leaves the host.
    cards(made, {"eth0": 1000, "eth1": 500, "lo": 9e6, "vmbr0": 9e6})
    page = made.open(new_page(host.agent))
    is_even(page, made, "net", {"in": 1500, "out": 1500, "of": ["eth0", "eth1"]}, "12.0 kbit/s")
    is_drawn(page, "net", "12.0 kbit/s 12.0 kbit/s")


def test_tags_that_every_series_has_choose_no_card(made: Made, new_page: OpenPage, host: Host) -> None:
    # "team=infra" was taken for a teamed card, and lo for a card, as "idc" came behind it.
    cards(made, {"lo": 9e6, "eth0": 125}, tags="idc=br-1,team=infra,version=1.2")
    page = made.open(new_page(host.agent))
    is_even(page, made, "net", {"in": 125, "out": 125, "of": ["eth0"]}, "1.00 kbit/s")
    assert page.chart("net").locator(".sub").inner_text() == "eth0"


def test_a_card_that_missed_a_cycle_makes_no_dip(made: Made, new_page: OpenPage, host: Host) -> None:
    # The rest of the cards were told as all of them, and half the traffic as the newest.
    for way in ("in", "out"):
        for name, missed in {"eth0": None, "eth1": 2, "eth2": 4}.items():
            values: list[float | None] = [*counter(500, 500, 500, 500)]
            if missed is not None:
                values[missed] = None
            made.add(f"net.if.{way}.bytes", *values, tags=f"iface={name},idc=bj", kind="COUNTER", unit="B")
    page = made.open(new_page(host.agent))
    is_even(page, made, "net", {"in": 1500, "out": 1500, "of": ["eth0", "eth1", "eth2"]}, "12.0 kbit/s")


def test_what_began_anew_has_no_rate_until_it_has_two_values(made: Made, new_page: OpenPage, host: Host) -> None:
    ids = [
        made.add(f"net.if.{way}.bytes", *counter(1000, 2000), 500, tags="iface=eth0", kind="COUNTER", unit="B")
        for way in ("in", "out")
    ]
    page = made.open(new_page(host.agent))
    # What it grew by until its card was put in anew; not -1 and no exabytes.
    is_drawn(page, "net", "16.0 kbit/s 16.0 kbit/s")
    made.later({id: 500 + 60 * 125 for id in ids})
    page.asks_anew()
    is_drawn(page, "net", "1.00 kbit/s 1.00 kbit/s")


def test_disks_are_those_that_the_stream_names_however_many(made: Made, new_page: OpenPage, host: Host) -> None:
    # A partition is part of its device; and of 24 disks the ten that had read most were all.
    disks = [f"sd{chr(97 + n)}" for n in range(24)]
    for name in [*disks, "sda1", "dm-0"]:
        made.add("disk.io.read_bytes", 1024, 1024, tags=f"device={name},idc=bj", unit="B/s")
        made.add("disk.io.write_bytes", 0, 0, tags=f"device={name},idc=bj", unit="B/s")
        made.add("disk.io.util", 20, 20, tags=f"device={name},idc=bj", unit="%")
    page = made.open(new_page(host.agent))
    is_even(page, made, "disk", {"read": 24 * 1024, "write": 0, "util": 20, "of": disks}, "24.0 KiB/s")
    is_drawn(page, "disk", "20 %")


def event(page: Watched, at: float, busy: float) -> None:
    cpu = {"busy": busy, "user": busy, "system": 0, "iowait": 0}
    mem = {"total": 4096 * MIB, "used": 1024 * MIB, "available": 3072 * MIB}
    traffic = {"in": 1000, "out": 250}
    disk = {"read": 2 * MIB, "write": 1024, "util": 12.5}
    says(
        page,
        {"t": at * 1000, "cpu": cpu, "mem": mem, "load": [0.5, 1, 2], "queue": 1, "net": traffic, "disk": disk}
        | {"top": [{"pid": 7, "name": "mysqld", "cpu": 137, "mem": 512 * MIB}], "up": 1, "sent": 1, "waiting": 0},
    )


def test_what_is_streamed_is_shown_in_the_same_units(made: Made, new_page: OpenPage, host: Host) -> None:
    page = made.open(new_page(host.agent))
    event(page, made.now, 37)
    for chart, wanted in {
        "cpu": "37 %",
        "mem": "25 %",
        "net": "8.00 kbit/s 2.00 kbit/s",
        "disk": "13 %",
        "load": "0.5",
    }.items():
        is_drawn(page, chart, wanted)
    assert "1.00\u00a0GiB of 4.00\u00a0GiB" in page.chart("mem").inner_text()
    assert cells(page.page.locator("#top tbody tr")) == ["mysqld", "7", "137 %", "512 MiB"]


def test_a_host_whose_clock_is_set_back_is_drawn_from_left_to_right(made: Made, new_page: OpenPage, host: Host) -> None:
    page = made.open(new_page(host.agent))
    for second in range(5):
        event(page, made.now + 600 + second, 90)
    event(page, made.now, 10)
    event(page, made.now + 1, 11)
    is_drawn(page, "cpu", "11 %")
    # The points of a time that is yet to come are gone.
    assert page.points("cpu") == 2


def test_series_are_told_in_the_units_that_are_declared(made: Made, new_page: OpenPage, host: Host) -> None:
    gauges = {
        ("B", 1536): "1.50 KiB", ("KB", 2048): "2.00 MiB", ("MiB", 3): "3.00 MiB", ("%", 99.5): "99.5 %",
        ("bit/s", 1.5e6): "1.50 Mbit/s", ("B/s", 2048): "2.00 KiB/s",
        ("s", 90): "90 s", ("s", 7980): "2 h 13 min", ("1", 1234.5): "1,234.5", ("connections", 3): "3 connections",
    }  # fmt: skip
    wanted = {made.add(f"g{n}", amount, unit=unit): said for n, ((unit, amount), said) in enumerate(gauges.items())}
    page = made.open(new_page(host.agent))
    for id, said in wanted.items():
        has_value(page, id, [said])


def test_a_rate_is_that_of_the_last_two_values(made: Made, new_page: OpenPage, host: Host) -> None:
    bytes_, requests = (made.add(unit, 6000, kind="COUNTER", unit=unit) for unit in ("B", "requests"))
    reset = made.add("reset", 6000, kind="COUNTER")
    tenths = made.add("tenths", 0, kind="COUNTER", unit="0.1 Mbit")
    # May fall, as no COUNTER may.
    falls = made.add("falls", 6000, kind="DERIVE")
    page = made.open(new_page(host.agent))
    has_value(page, requests, ["6,000 requests"])
    made.later({bytes_: 6000 + 2048 * STEP, requests: 6090, reset: 60, falls: 5400, tenths: 5 * STEP})
    page.asks_anew()
    has_value(page, bytes_, ["2.00 KiB/s", "126 KiB"])
    has_value(page, requests, ["1.5 requests/s", "6,090 requests"])
    has_value(page, reset, ["60"])
    has_value(page, tenths, ["500 kbit/s", "300 0.1 Mbit"])
    has_value(page, falls, ["-10 /s", "5,400"])
    # Nobody looked for a day: the mean of the day is not what happens now.
    made.later({bytes_: 9e9, requests: 9e9, reset: 120, falls: 0}, 86400)
    page.asks_anew()
    has_value(page, requests, ["9,000,000,000 requests"])
    made.later({requests: 9e9 + 120})
    page.asks_anew()
    has_value(page, requests, ["2 requests/s", "9,000,000,120 requests"])


def test_after_a_restart_no_rate_is_reckoned_between_two_series(made: Made, new_page: OpenPage, host: Host) -> None:
    first = made.add("shop.small", 100, kind="COUNTER")
    page = made.open(new_page(host.agent))
    page.open_row(page.page.locator(f"#series tr[data-id='{first}']"))
    # The same number is another series with the agent that has begun anew.
    made.rows[first][1] = "shop.great"
    made.state["uptime"] = 5 - STEP
    made.later({first: 1e12})
    page.asks_anew()
    has_value(page, first, ["1,000,000,000,000"])
    # And what was open is not gone on with as if it were the same.
    page.until("no detail of another series", lambda: page.page.locator("#series .detail").count() == 0)


def test_what_came_to_an_end_is_told_to_be_stale(made: Made, new_page: OpenPage, host: Host) -> None:
    old, new = made.add("shop.old", 1), made.add("shop.new", 1)
    page = made.open(new_page(host.agent))
    made.later({new: 2}, 1200)
    page.asks_anew()
    page.until("the mark", lambda: page.page.locator("#series tr[data-stale]").count() == 1)
    assert page.page.locator("#series tr[data-stale]").get_attribute("data-id") == str(old)


@pytest.mark.parametrize("ahead", [-90000, 7 * 86400])
def test_a_browser_whose_clock_differs_shows_the_hosts_time(
    made: Made, new_page: OpenPage, host: Host, ahead: int
) -> None:
    made.now += ahead
    made.add("mem.memused.percent", 40, 41, 42, unit="%")
    page = made.open(new_page(host.agent))
    is_drawn(page, "mem", "42 %")
    assert page.points("mem") == 3, "out of what is in sight"
    assert page.page.locator("#series tr[data-stale]").count() == 0
    assert page.page.locator("#series td.age").all_inner_texts()[0].endswith("\u00a0s")


def test_a_browser_whose_clock_is_set_while_the_page_is_open_goes_on_by_the_hosts(
    made: Made, new_page: OpenPage, host: Host
) -> None:
    made.add("shop.stock", 1)
    page = made.open(new_page(host.agent))
    page.page.evaluate("(real => { Date.now = () => real() + 864e5; })(Date.now)")
    page.asks_anew()
    page.until("a series that is fresh", lambda: page.page.locator("#series tr[data-stale]").count() == 0)
    page.asks_anew()
    age = page.page.locator("#series td.age")
    page.until("its age", lambda: age.all_inner_texts()[0].endswith("\u00a0s"))


def test_ten_thousand_series_are_searched_like_ten(made: Made, new_page: OpenPage, host: Host) -> None:
    for n in range(10_000):
        made.add("bulk.value", n, tags=f"n={n:05}", origin="push")
    page = made.open(new_page(host.agent))
    counted = page.page.locator("#series-count")
    assert "10,000" in counted.inner_text()
    # Rows that nobody looks at are not made.
    assert 20 < page.rows().count() < 1000
    assert page.find("n=07777").count() == 1
    assert "10,000" in counted.inner_text()
    drawn = page.find("n=099").count()
    page.page.locator("#more").click()
    page.until("more of a hundred rows", lambda: page.rows().count() > drawn)
    assert page.rows().count() == 100


def volumes(page: Watched) -> list[list[str]]:
    texts = page.page.locator("#volumes li").all_inner_texts()
    return [[line.replace("\u00a0", " ") for line in text.split("\n") if line.strip()] for text in texts]


def test_every_volume_is_told_the_fullest_first(made: Made, new_page: OpenPage, host: Host) -> None:
    for mount, free, inodes in (("/", 60, 10), ("/var/<b>log</b>", 4, 20), ("/srv", 50, 86)):
        tags = f"mount={mount},fstype=ext4,idc=bj"
        made.add("df.bytes.total", 100 * 1024 * MIB, tags=tags, unit="B")
        made.add("df.bytes.free", free * 1024 * MIB, tags=tags, unit="B")
        made.add("df.bytes.used.percent", 100 - free, tags=tags, unit="%")
        made.add("df.inodes.used.percent", inodes, tags=tags, unit="%")
    page = made.open(new_page(host.agent))
    found = volumes(page)
    assert [(lines[0], lines[1]) for lines in found] == [("/var/<b>log</b>", "96 %"), ("/srv", "50 %"), ("/", "40 %")]
    assert "4.00 GiB free of 100 GiB" in found[0][-1] and "inodes 86 %" in found[1][-1], found
    states = [item.get_attribute("data-state") for item in page.page.locator("#volumes li").all()]
    assert states == ["bad", "warn", None]


def test_a_check_that_fails_has_its_own_reason(made: Made, new_page: OpenPage, host: Host) -> None:
    urls = ("http://h/", "http://h/health")
    for url in urls:
        made.add("url.check.up", 0, tags=f"url={url},idc=bj")
    source = made.state["sources"][0]
    problems = [["checks.urls http://h/health", "timed out"], ["checks.urls http://h/", "refused"]]
    made.state["sources"] = [source | {"name": "url", "problems": problems, "remarks": []}]
    page = made.open(new_page(host.agent))
    for url, why in zip(urls, ("refused", "timed out"), strict=True):
        row = page.page.locator("#checks tbody tr").filter(has=page.page.get_by_text(url, exact=True))
        assert row.count() == 1, page.page.locator("#checks").inner_text()
        assert why in row.inner_text(), row.inner_text()
