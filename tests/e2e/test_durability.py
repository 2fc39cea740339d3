"""The sync to disk comes before the reply: watched from outside, in the system calls of a running server."""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.server.process import ServerProcess, connected, serving
from tests.server.running import RPC_TIMEOUT_S, Client
from tests.server.scene import write_scene
from troth.v1.outcome_service_pb2 import Exposure, LogExposuresRequest, LogOutcomesRequest, Outcome

_CALLS = "fdatasync,fsync,pwrite64,sendmsg,sendto,write,writev,recvmsg,recvfrom,read"
_LINE = re.compile(r"^(?P<thread>\d+)\s+(?P<resumed><\.\.\. )?(?P<call>\w+)(?P<rest>.*)$")
_HEX = re.compile(r"(?:\\x[0-9a-f]{2})+")
_DESCRIPTOR = re.compile(r"^\((\d+<.*?>)(?=\s*[,)])")
_DATA_FRAME = 0
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@dataclass(frozen=True)
class Call:
    """One system call.

    Attributes:
        name: For example ``fdatasync``.
        target: The descriptor with the path or the addresses that it stands for.
        data: The bytes that were written, sent or received.
        begun: Line of the trace on which it began.
        done: Line of the trace on which it had ended.
        succeeded: Whether it returned no error.
    """

    name: str
    target: str
    data: bytes
    begun: int
    done: int
    succeeded: bool


def _decoded(text: str) -> bytes:
    return b"".join(bytes.fromhex(found.replace("\\x", "")) for found in _HEX.findall(text))


def parse(trace: str) -> list[Call]:
    """Return the calls of an strace output, in the order in which they ended."""
    unfinished: dict[tuple[str, str], tuple[int, str]] = {}
    calls = []
    for number, line in enumerate(trace.splitlines()):
        found = _LINE.match(line)
        if found is None:
            continue
        key, rest = (found["thread"], found["call"]), found["rest"]
        if rest.endswith("<unfinished ...>"):
            unfinished[key] = (number, rest.removesuffix("<unfinished ...>"))
            continue
        begun = number
        if found["resumed"]:
            begun, before = unfinished.pop(key, (number, ""))
            rest = before + rest.removeprefix(" resumed>")
        descriptor = _DESCRIPTOR.match(rest)
        if descriptor is None:
            continue
        raw = descriptor[1]
        path = _decoded(raw).decode(errors="replace")
        calls.append(
            Call(
                name=found["call"],
                target=path or raw,
                data=_decoded(rest[descriptor.end() :]),
                begun=begun,
                done=number,
                succeeded=re.search(r"\)\s+= \d+", rest) is not None,
            )
        )
    return calls


@contextmanager
def traced(server: ServerProcess, output: Path) -> Iterator[Callable[[], list[Call]]]:
    """Watch the system calls of a server; the function that is given ends the trace and returns them."""
    command = ["strace", "-f", "-yy", "-xx", "-s", "1000000", "-e", f"trace={_CALLS}", "-o", str(output)]
    tracer = subprocess.Popen([*command, "-p", str(server.pid)], stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None

    def finish() -> list[Call]:
        _settle(output)
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=30)
        return parse(output.read_text(encoding="ascii"))

    try:
        said = tracer.stderr.readline()
        if "attached" not in said:
            pytest.skip(f"strace may not watch a process here: {said.strip()}")
        yield finish
    finally:
        if tracer.poll() is None:
            tracer.kill()
        tracer.wait()
        tracer.stderr.close()


def _settle(output: Path) -> None:
    """Wait until nothing has been added for half a second: on a busy machine a call may return before it is recorded."""
    deadline, size, since = time.monotonic() + 30, -1, time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - since < 0.5:
        found = output.stat().st_size
        if found != size:
            size, since = found, time.monotonic()
        time.sleep(0.05)


def _reply_begins(calls: list[Call], socket: str) -> tuple[int, bytes]:
    """Return the line on which the first byte of the reply was given to the socket, and the reply.

    The server's side of the connection is read frame by frame (RFC 9113, section 4.1); the only DATA frame is the reply.
    """
    sent = b""
    line_of: list[int] = []
    for call in sorted(calls, key=lambda call: call.begun):
        if call.target == socket and call.name in {"sendmsg", "sendto", "write", "writev"} and call.succeeded:
            sent += call.data
            line_of += [call.begun] * len(call.data)
    position, replies = 0, []
    while position + 9 <= len(sent):
        length = int.from_bytes(sent[position : position + 3])
        if sent[position + 3] == _DATA_FRAME and length:
            replies.append((line_of[position], sent[position + 9 : position + 9 + length]))
        position += 9 + length
    assert len(replies) == 1
    return replies[0]


def _recommend(client: Client, key: str) -> bytes:
    decision_id: str = client.decide("m01", request_id=key).decision_id
    return decision_id.encode()


def _expose(client: Client, key: str) -> bytes:
    exposure = Exposure(event_id=key, experiment_id="banner", variant_id="loud", member_id="m01")
    client.log_exposures(LogExposuresRequest(exposures=[exposure]), timeout=RPC_TIMEOUT_S)
    return b""


def _report(client: Client, key: str) -> bytes:
    outcome = Outcome(event_id=key, member_id="m01", outcome_type="purchase")
    client.log_outcomes(LogOutcomesRequest(outcomes=[outcome]), timeout=RPC_TIMEOUT_S)
    return b""


@pytest.mark.skipif(
    shutil.which("strace") is None, reason="needs strace (apt install strace) to watch system calls"
)
def test_synced_before_answered(tmp_path: Path) -> None:
    """For each writing RPC: request read, row written, file synced, and only then the first byte of the reply sent.

    Each step is found by what it carries: the request and the row by an id that occurs nowhere else, the sync by the path of
    the write-ahead log, the reply as the DATA frame of the connection.
    """
    config = write_scene(tmp_path / "scene")
    asks = {"RecommendOffers": _recommend, "LogExposures": _expose, "LogOutcomes": _report}
    with serving(config) as server:
        for method, ask in asks.items():
            key = f"unique-key-of-{method}"
            with traced(server, tmp_path / f"{method}.trace") as finish:
                with connected(server) as client:
                    answered = ask(client, key)
                calls = finish()

            wal = str(server.log_path) + "-wal"
            arrived = [
                call
                for call in calls
                if call.name in {"recvmsg", "recvfrom", "read"} and key.encode() in call.data
            ]
            assert len(arrived) == 1, method
            assert _PREFACE in b"".join(call.data for call in calls if call.target == arrived[0].target)
            written = [
                call
                for call in calls
                if call.name == "pwrite64" and call.target == wal and key.encode() in call.data
            ]
            assert written, method
            synced = [
                call
                for call in calls
                if call.name in {"fdatasync", "fsync"}
                and call.target == wal
                and call.succeeded
                and call.begun > written[-1].done
            ]
            assert synced, f"{method}: the row was written and never synced"
            replied, reply = _reply_begins(calls, arrived[0].target)
            assert answered in reply

            assert arrived[0].done < written[0].begun, method
            assert written[-1].done < synced[0].begun, method
            assert synced[0].done < replied, f"{method}: the reply was sent before the sync had ended"


def test_trace_is_read_rightly() -> None:
    """Calls of several threads that overlap in the trace are put together again."""
    trace = r"""7  fdatasync(4<\x2f\x77\x61\x6c> <unfinished ...>
8  sendmsg(18<TCP:[a->b]>, {msg_iov=[{iov_base="\x01\x02", iov_len=2}]}, 0) = 2
7  <... fdatasync resumed>)          = 0
9  fdatasync(4<\x2f\x77\x61\x6c>)    = -1 EIO (Input/output error)
"""

    assert parse(trace) == [
        Call("sendmsg", "18<TCP:[a->b]>", b"\x01\x02", 1, 1, succeeded=True),
        Call("fdatasync", "/wal", b"", 0, 2, succeeded=True),
        Call("fdatasync", "/wal", b"", 3, 3, succeeded=False),
    ]
