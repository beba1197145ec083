"""The load generator: a process of its own that speaks HTTP/1.1 over plain sockets, so that it costs little of the
cores that it shares with the service.

It reads one JSON object from standard input and writes one to standard output.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, cast

PLACE = b"@number@"  # eight bytes, so that a number in its place changes no length
GIVE_UP = 30.0  # seconds


class Peer(asyncio.Protocol):
    """One connection: sends a request, waits for the whole answer, asks `following` for the next one."""

    def __init__(self, following: Callable[[], bytes | None], answered: Callable[[int, float, float], None]) -> None:
        self._following = following
        self._answered = answered
        self._buffer = b""
        self._sent = 0.0
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.send()

    def send(self) -> None:
        assert self._transport is not None
        request = self._following()
        if request is None:
            self._transport.close()
            return
        self._sent = time.time()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or len(body) < length(head):
            return
        self._buffer = b""
        self._answered(int(head[9:12]), self._sent, time.time())
        self.send()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


def length(head: bytes) -> int:
    """The length of the body that an answer's head announces."""
    _, _, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0] or 0)


def request(path: str, headers: dict[str, str], body: bytes) -> bytes:
    """Make a POST by hand."""
    lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def flood(spec: dict[str, Any]) -> dict[str, Any]:
    """Keep `connections` busy for `seconds`; numbers go from `first` up, over and over again below `numbers`."""
    template = request(spec["path"], spec["headers"], spec["body"].encode())
    first, numbers = int(spec["first"]), spec["numbers"]
    repeated = [template.replace(PLACE, b"%08d" % (first + n)) for n in range(numbers or 0)]
    begun = time.time()
    end = begun + float(spec["seconds"])
    sent = 0
    statuses: Counter[int] = Counter()
    last = begun

    def following() -> bytes | None:
        nonlocal sent
        if time.time() >= end:
            return None
        sent += 1
        return repeated[sent % numbers] if numbers else template.replace(PLACE, b"%08d" % (first + sent))

    def answered(status: int, _sent: float, now: float) -> None:
        nonlocal last
        statuses[status] += 1
        last = now

    await _connect(spec, [(following, answered)] * int(spec["connections"]), float(spec["seconds"]) + GIVE_UP)
    return {"statuses": statuses, "seconds": last - begun}


async def burst(spec: dict[str, Any]) -> dict[str, Any]:
    """Send every request on a connection of its own, all at once; gives when each was sent and answered."""
    rows: list[tuple[int, float, float]] = []
    peers = []
    for one in spec["requests"]:
        todo = [request(spec["path"], one["headers"], one["body"].encode())]
        peers.append((_once(todo), lambda status, at, now: rows.append((status, at, now))))
    begun = time.time()
    await _connect(spec, peers, GIVE_UP)
    return {"begun": begun, "answers": rows}


def _once(todo: list[bytes]) -> Callable[[], bytes | None]:
    return lambda: todo.pop() if todo else None


async def _connect(
    spec: dict[str, Any],
    peers: list[tuple[Callable[[], bytes | None], Callable[[int, float, float], None]]],
    within: float,
) -> None:
    loop, port = asyncio.get_running_loop(), int(spec["port"])
    made = await asyncio.gather(
        *(
            loop.create_connection(partial(Peer, following, answered), "127.0.0.1", port)
            for following, answered in peers
        )
    )
    await asyncio.wait_for(asyncio.gather(*(peer.done for _, peer in made)), within)


def main() -> None:
    import uvloop  # noqa: PLC0415 - only the process itself needs it

    spec = json.load(sys.stdin)
    work = flood if spec["mode"] == "flood" else burst
    json.dump(uvloop.run(work(spec)), sys.stdout)


if __name__ == "__main__":
    main()
