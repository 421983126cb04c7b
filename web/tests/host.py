"""A host as tests and tools have it: an agent with a transfer and an hbs of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent import ENDPOINT, Agent, until
from servers import Hbs, Transfer

Change = Callable[[dict[str, Any]], None]


class Host:
    def __init__(self, change: Change = lambda config: None, token: str = "") -> None:
        self.transfer, self.hbs = Transfer(), Hbs()
        config = configuration(self.transfer.addr, self.hbs.addr)
        change(config)
        self.agent = Agent(config, token)
        # So that there is something to see.
        until("a cycle", self.agent.cycles, self.agent.state)

    def close(self) -> None:
        self.agent.close()
        self.transfer.close()
        self.hbs.close()


def configuration(transfer: str, hbs: str) -> dict[str, Any]:
    """The shortest intervals there are: a test waits for seconds, and not for minutes."""
    return {
        "hostname": ENDPOINT,
        "heartbeat": {"enabled": True, "addr": hbs, "interval": 1, "timeout": 1000},
        "transfer": {
            "enabled": True,
            "addrs": [transfer],
            "interval": 1,
            "timeout": 1000,
            "replay_delay": 0,
            "replay_speed": 0,
            "replay_pause": 0,
        },
    }
