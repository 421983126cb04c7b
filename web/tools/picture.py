"""Makes docs/page.png and docs/page-zh.png: the page of an agent that watches a small made-up host, which really works.

To be started in a network of its own, as `cargo xtask picture` does, with: what starts the host's processes
(`xtask/src/picture.rs`), a folder for them, and the folder for the pictures.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import subprocess
import threading
import time
from pathlib import Path

from agent import ENDPOINT, EXE, until
from chromium import launched
from host import configuration
from playwright.sync_api import Browser
from servers import Hbs, Transfer

HERE, THERE = "192.0.2.1", "192.0.2.10"
WORLD = ["--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
PORT = 1988
# How long the host works before it is looked at, and how many points the charts have then.
SECONDS = 120
SIZE = {"width": 1440, "height": 1100}
PLUGIN = """#!/bin/sh
now=$(date +%s)
echo '[{"metric": "shop.orders", "value": '$((now % 97))', "step": 60, "counterType": "GAUGE", "tags": "", \
    "endpoint": "web-01", "timestamp": '$now'}]'
"""
PICTURES = {"page.png": "en-US", "page-zh.png": "zh-CN"}


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, stdin=subprocess.DEVNULL)


class World:
    """The host: namespaces that end with this process."""

    def __init__(self, starter: str, folder: Path, config: dict[str, object]) -> None:
        (folder / "cfg.json").write_text(json.dumps(config))
        command = ["unshare", *WORLD, starter, "picture-inside", "world", EXE, str(folder)]
        self._first = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=folder)
        self._link()
        assert self._first.stdin is not None
        self._first.stdin.write(b"the network is there\n")
        self._first.stdin.flush()

    def _link(self) -> None:
        pid = str(self._first.pid)
        until("a network", lambda: os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net"))
        ip("link", "set", "lo", "up")
        ip("link", "add", "peer0", "type", "veth", "peer", "name", "eth0", "netns", pid)
        ip("addr", "add", f"{HERE}/24", "dev", "peer0")
        ip("link", "set", "peer0", "up")
        for words in (
            ["link", "set", "lo", "up"],
            ["addr", "add", f"{THERE}/24", "dev", "eth0"],
            ["link", "set", "eth0", "up"],
        ):
            subprocess.run(["nsenter", "--target", pid, "--net", "ip", *words], check=True, stdin=subprocess.DEVNULL)

    def close(self) -> None:
        assert self._first.stdin is not None
        self._first.stdin.close()
        self._first.wait()


def visitors() -> None:
    """Asks the host's web server for this and that, for as long as this program runs."""
    while True:
        try:
            with socket.create_connection((THERE, 80), timeout=10) as stream:
                while True:
                    count = int(random.lognormvariate(11.5, 0.8))
                    stream.sendall(b"%d\n" % count)
                    while count > 0:
                        part = stream.recv(1 << 16)
                        if not part:
                            raise OSError("it hung up")
                        count -= len(part)
                    time.sleep(random.expovariate(8))
        except OSError:
            time.sleep(0.2)


def shoot(browser: Browser, locale: str, file: Path) -> None:
    context = browser.new_context(locale=locale, color_scheme="light", viewport=SIZE)
    page = context.new_page()
    page.goto(f"http://{THERE}:{PORT}/")
    until("a page", lambda: page.evaluate("document.body?.dataset.ready === '1'"))
    # The live part is young; what came before is drawn from the ring.
    page.wait_for_timeout(15_000)
    page.screenshot(path=file, animations="disabled")
    print(f"{file.name}: {file.stat().st_size} bytes")
    context.close()


def reaches() -> bool:
    try:
        socket.create_connection((THERE, PORT), timeout=1).close()
    except OSError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("starter")
    parser.add_argument("folder", type=Path)
    parser.add_argument("pictures", type=Path)
    args = parser.parse_args()
    transfer, hbs = Transfer("0.0.0.0", 8433), Hbs("0.0.0.0", 6030)
    config = configuration(f"{HERE}:{transfer.port}", f"{HERE}:{hbs.port}") | {
        "http": {"listen": f"0.0.0.0:{PORT}"},
        "collector": {"mountPoint": ["/"]},
        "checks": {"ports": ["80"], "processes": ["nginx", "mysqld"]},
        "plugin": {"enabled": True, "dir": str(args.folder / "plugin")},
        "state_dir": "var",
    }
    plugin = args.folder / "plugin" / "shop" / "5_orders.sh"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(PLUGIN)
    plugin.chmod(0o755)
    hbs.plugins = ["shop"]
    world = World(args.starter, args.folder, config)
    try:
        until("the agent", reaches)
        for _ in range(3):
            threading.Thread(target=visitors, daemon=True).start()
        print(f"{ENDPOINT} works for {SECONDS} s")
        time.sleep(SECONDS)
        assert transfer.items, "nothing arrived"
        with launched(THERE) as browser:
            for name, locale in PICTURES.items():
                shoot(browser, locale, args.pictures / name)
    finally:
        world.close()


if __name__ == "__main__":
    main()
