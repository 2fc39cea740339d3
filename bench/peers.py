"""The libraries that the benchmarks compare with, in an environment of their own. `python -m bench.peers` makes it.

They stay out of Troth's own: some need old pandas, none is needed to run Troth. ``peers.in`` names them, ``peers.txt``
pins everything with hashes. A benchmark whose peers are absent says so and measures Troth alone.
"""

import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).parents[1] / ".venv-peers"
LOCK = Path(__file__).with_name("peers.txt")
HINT = "the peers are absent; `python -m bench.peers` installs them"


def peer_python() -> Path | None:
    """Return the interpreter of the peers' environment, or None where nobody made it."""
    for path in (FOLDER / "bin" / "python", FOLDER / "Scripts" / "python.exe"):
        if path.is_file():
            return path
    return None


def main() -> None:
    """Make the environment."""
    venv.create(FOLDER, with_pip=True, clear=True)
    python = peer_python()
    assert python is not None
    install = ["-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    done = subprocess.run([str(python), *install, "-r", str(LOCK)], check=False)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
