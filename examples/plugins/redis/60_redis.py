#!/usr/bin/env python3
# -*- coding: utf-8 -*-
"""What a Redis server says of itself, with nothing but Python's own library; for Python 2.7 and 3.

To bind:  redis/60_redis.py                                      127.0.0.1:6379
          redis/60_redis.py(10.0.0.7:6380)
          redis/60_redis.py(127.0.0.1:6379,/etc/redis/password)  with the password that is in this file

    redis.up                         GAUGE    1, or 0
    redis.connected_clients, ...     GAUGE    see GAUGES
    redis.total_commands_processed,  COUNTER  see COUNTERS

All have the tag `address`. Where only Python 2.7 is installed its name goes into the first line.
"""

from __future__ import print_function

import io
import json
import os
import socket
import sys
import time

GAUGES = ["connected_clients", "blocked_clients", "used_memory", "used_memory_rss", "uptime_in_seconds"]
COUNTERS = [
    "total_connections_received",
    "total_commands_processed",
    "rejected_connections",
    "evicted_keys",
    "expired_keys",
    "keyspace_hits",
    "keyspace_misses",
]
# Seconds; well below the cycle, so that an answer that does not come is told and not cut off.
PATIENCE = 10


def ask(connection, answers, *words):
    """Sends a command and answers what the server says; its errors are raised."""
    request = b"".join(b"$" + str(len(word)).encode() + b"\r\n" + word + b"\r\n" for word in words)
    connection.sendall(b"*" + str(len(words)).encode() + b"\r\n" + request)
    line = answers.readline().rstrip()
    if line.startswith(b"$"):
        length = int(line[1:])
        text = answers.read(length + 2)
        if len(text) < length + 2:
            raise IOError("Redis hung up in the middle of its answer")
        return text[:length].decode("utf-8", "replace")
    if line.startswith(b"+"):
        return line[1:].decode("utf-8", "replace")
    raise IOError("Redis said: " + (line.decode("utf-8", "replace") or "nothing"))


def info(address, password_file):
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE)
    try:
        answers = connection.makefile("rb")
        if password_file:
            with io.open(password_file, "rb") as password:
                ask(connection, answers, b"AUTH", password.read().strip())
        lines = ask(connection, answers, b"INFO").splitlines()
    finally:
        connection.close()
    return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))


def this_host():
    """The agent says who this host is; by hand nobody does."""
    name = os.environ.get("FALCON_ENDPOINT") or socket.gethostname()
    # Before 3.7 Python takes the environment for ASCII where no locale is set, as in a service.
    return os.fsencode(name).decode("utf-8", "replace") if hasattr(os, "fsencode") else name.decode("utf-8", "replace")


def main():
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:6379"
    found, failed = {}, None
    try:
        found = info(address, sys.argv[2] if len(sys.argv) > 2 else None)
    except (EnvironmentError, ValueError) as error:
        failed = error

    def point(metric, value, kind):
        return {
            "endpoint": this_host(),
            "metric": "redis." + metric,
            "timestamp": int(time.time()),
            # How often this runs, from the agent.
            "step": int(os.environ.get("FALCON_STEP") or 60),
            "value": value,
            "counterType": kind,
            "tags": "address=" + address,
        }

    points = [point("up", 1 if found else 0, "GAUGE")]
    for kind, names in (("GAUGE", GAUGES), ("COUNTER", COUNTERS)):
        points += [point(name, int(found[name]), kind) for name in names if name in found]
    # ASCII alone, so that no code page matters.
    print(json.dumps(points))
    if failed:
        # With this on standard error the points count in spite of the exit code, and /plugins shows why it failed.
        print("%s: %s" % (address, failed), file=sys.stderr)
        sys.exit(1)


main()
