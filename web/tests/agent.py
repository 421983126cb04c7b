"""The agent under test: its configuration and directory, its start and its end."""

from __future__ import annotations

import base64
import copy
import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

EXE = os.environ.get("FALCON_AGENT_EXE", "")
RUNNER = os.environ.get("FALCON_AGENT_RUNNER", "")
IS_WINDOWS = bool(RUNNER)
ENDPOINT = "web-01"

# Far more than anything here takes on a busy machine.
PATIENCE = 60.0
# The agent promises to leave within 5 s.
LEAVES_WITHIN = 10.0

# What the executable listens to, see tests/harness/process.rs.
HEARD = [
    "FALCON_ENDPOINT",
    "FALCON_SERVICE",
    "INVOCATION_ID",
    "NUX_ROOTFS",
    "STATE_DIRECTORY",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
]

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def until(what: str, ask: Callable[[], T | None], state: Callable[[], str] = str, patience: float = PATIENCE) -> T:
    """Asks until there is an answer; `state` is told when there is none in time."""
    deadline = time.monotonic() + patience
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"waited {patience:.0f} s in vain for {what}\n{state()}"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Agent:
    """A running agent in a directory of its own; ended with `stop`."""

    def __init__(self, config: dict[str, Any], token: str = "") -> None:
        assert EXE, "FALCON_AGENT_EXE must name the executable, as `cargo xtask test --only page-linux` does"
        assert not IS_WINDOWS or os.environ.get("WINEPREFIX"), "without WINEPREFIX Wine acts on the user's own prefix"
        self._folder = tempfile.TemporaryDirectory(prefix="falcon-page-")
        self.dir = Path(self._folder.name)
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self._token = token
        config = copy.deepcopy(config)
        # No `state_dir`: on Windows it is elsewhere unless it is told.
        config.setdefault("state_dir", "var")
        config.setdefault("http", {}).update(enabled=True, listen=f"127.0.0.1:{self.port}", token=token)
        (self.dir / "cfg.json").write_text(json.dumps(config), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Starts it where it was, and waits until it answers."""
        command = [*([RUNNER] if RUNNER else []), EXE, "run"]
        heard = {name for variable in HEARD for name in (variable, variable.upper())}
        environment = {name: value for name, value in os.environ.items() if name not in heard}
        # A file and no pipe: Wine's own processes may hold a pipe open for as long as the session lasts.
        with (self.dir / "output.txt").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.dir, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until("/health", self._is_healthy, self.state)

    def stop(self) -> int:
        """Asks it to end as the platform's service managers do; answers its exit code."""
        process = self._process
        assert process is not None
        # Wine makes Ctrl-C of it.
        process.send_signal(signal.SIGINT if IS_WINDOWS else signal.SIGTERM)
        try:
            return process.wait(LEAVES_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"it did not leave in {LEAVES_WITHIN:.0f} s\n{self.state()}") from None

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            code = self.stop()
            assert code == 0, f"exit code {code}\n{self.state()}"
        assert "panicked" not in self.log(), self.state()
        self._folder.cleanup()

    def log(self) -> str:
        return (self.dir / "output.txt").read_text(encoding="utf-8", errors="replace")

    def state(self) -> str:
        return f"log of the agent in {self.dir}:\n{self.log()}"

    def _is_healthy(self) -> bool:
        assert self._process is not None and self._process.poll() is None, f"it ended by itself\n{self.state()}"
        try:
            return self.get("/health") == b"ok"
        except OSError:
            return False

    def status(self, path: str) -> int:
        """What is answered to who brings no token."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path)
        status = connection.getresponse().status
        connection.close()
        return status

    def request(self, path: str, body: bytes | None = None, accept: str = "*/*") -> urllib.request.Request:
        request = urllib.request.Request(self.origin + path, data=body, headers={"Accept": accept})
        if self._token:
            basic = base64.b64encode(f":{self._token}".encode()).decode()
            request.add_header("Authorization", f"Basic {basic}")
        return request

    def get(self, path: str) -> bytes:
        with _direct.open(self.request(path), timeout=10) as answer:
            return answer.read()

    def headers(self, path: str) -> dict[str, str]:
        with _direct.open(self.request(path), timeout=10) as answer:
            return {name.lower(): value for name, value in answer.headers.items()}

    def json(self, path: str) -> Any:
        with _direct.open(self.request(path, accept="application/json"), timeout=10) as answer:
            return json.load(answer)

    def push(self, *items: dict[str, Any]) -> None:
        """A push that must be taken; what an item leaves out is filled in."""
        base = {
            "endpoint": ENDPOINT,
            "value": 1,
            "step": 60,
            "counterType": "GAUGE",
            "tags": "",
            "timestamp": int(time.time()),
        }
        body = json.dumps([base | item for item in items]).encode()
        with _direct.open(self.request("/v1/push", body), timeout=10) as answer:
            assert answer.read() == b"success", self.state()

    def cycles(self) -> int:
        """When the newest of its own points was made; 0 before there is one."""
        rows = self.json("/ui/series")["series"]
        return max((row[5] for row in rows if row[1] == "agent.alive"), default=0)
