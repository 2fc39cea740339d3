"""Which code trained a model."""

import shutil
import subprocess
from pathlib import Path

UNKNOWN = "unknown"


def code_version() -> str:
    """Return the Git commit of this source tree, with ``+changes`` where files differ from it, or ``unknown``."""
    root = Path(__file__).resolve().parent.parent
    git = shutil.which("git")
    # Inside somebody else's repository (a virtual environment, say) git would answer for that one.
    if git is None or not (root / ".git").exists():
        return UNKNOWN
    commit = _run([git, "-C", str(root), "rev-parse", "HEAD"])
    if not commit:
        return UNKNOWN
    changed = _run([git, "-C", str(root), "status", "--porcelain", "--untracked-files=no"])
    return f"{commit}+changes" if changed else commit


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
