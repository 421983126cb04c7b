"""A transfer and an hbs: JSON-RPC of Go's net/rpc over TCP, a line a call. They can be taken away and put back."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from typing import Any


class Server:
    """Listens at a port of its own, which stays its own while it is down."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self._address = address
        # Bound, never listening: while the server is down nobody else gets the port, and who connects is refused.
        self._held = self._bound(port)
        self.port: int = self._held.getsockname()[1]
        self.addr = f"{address}:{self.port}"
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.up()

    def _bound(self, port: int) -> socket.socket:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((self._address, port))
        return bound

    def up(self) -> None:
        listener = self._bound(self.port)
        listener.listen()
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def down(self) -> None:
        """Refuses connections, and ends those that there are."""
        with self._lock:
            listener, self._listener = self._listener, None
            streams = list(self._open)
        for stream in [listener, *streams]:
            if stream is None:
                continue
            # Gone already is what is wanted.
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
        if listener is not None:
            listener.close()

    def close(self) -> None:
        self.down()
        self._held.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                stream, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                if self._listener is not listener:
                    stream.close()
                    return
                self._open.add(stream)
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream: socket.socket) -> None:
        try:
            with stream, stream.makefile("rb") as lines:
                for line in lines:
                    call = json.loads(line)
                    result = self.answer(call["method"], call["params"][0])
                    reply = {"id": call["id"], "result": result, "error": None}
                    stream.sendall(json.dumps(reply).encode() + b"\n")
        except OSError:
            pass  # A connection that was cut.
        finally:
            with self._lock:
                self._open.discard(stream)

    def answer(self, method: str, params: Any) -> Any:
        raise NotImplementedError


class Transfer(Server):
    """Takes every point."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self.items: list[dict[str, Any]] = []
        super().__init__(address, port)

    def answer(self, method: str, params: Any) -> Any:
        if method == "Transfer.Ping":
            return {"code": 0}
        assert method == "Transfer.Update", method
        self.items.extend(params)
        return {"Message": "ok", "Total": len(params), "Invalid": 0, "Latency": 0}

    def values(self, metric: str) -> list[Any]:
        """Those of a metric's points, the smallest first."""
        return sorted(item["value"] for item in list(self.items) if item["metric"] == metric)


class Hbs(Server):
    """Knows every host, and binds the plugins that a test says."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self.plugins: list[str] = []
        super().__init__(address, port)

    def answer(self, method: str, params: Any) -> Any:
        now = int(time.time())
        match method:
            case "Agent.ReportStatus":
                return {"code": 0}
            case "Agent.MinePlugins":
                return {"Plugins": self.plugins, "Timestamp": now}
            case "Agent.BuiltinMetrics":
                return {"Metrics": [], "Checksum": "", "Timestamp": now}
            case "Agent.TrustableIps":
                return ""
        raise AssertionError(method)
