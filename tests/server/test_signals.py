"""No signal is lost: the server ends whenever it is told to."""

import signal
import subprocess
import sys

from server.app import caught_signals
from tests.server.process import ROOT

# A signal as near as can be to the moment in which the main thread begins to wait, again and again, with threads switched as
# often as can be. An Event that a handler sets hangs here within a hundred rounds.
ROUNDS = """
import os, random, signal, sys, threading
from server.app import caught_signals
sys.setswitchinterval(1e-6)
for round in range(1500):
    with caught_signals() as wait:
        ready = []
        def send(spin=random.randrange(300)):
            while not ready:
                pass
            for _ in range(spin):
                pass
            os.kill(os.getpid(), (signal.SIGTERM, signal.SIGINT)[round % 2])
        sender = threading.Thread(target=send)
        sender.start()
        ready.append(True)
        wait()
        sender.join()
print("all were seen")
"""


def test_no_signal_is_lost() -> None:
    """A signal that comes while the main thread is about to wait for it ends the wait."""
    done = subprocess.run(
        [sys.executable, "-c", ROUNDS],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "all were seen\n"), done.stderr


def test_signals_are_as_before_afterwards() -> None:
    """Once nobody waits any more, Ctrl-C means what it meant before."""
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with caught_signals() as wait:
        signal.raise_signal(signal.SIGTERM)
        wait()
        assert signal.getsignal(signal.SIGINT) not in before

    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
