"""How the whole suite runs: one thread a process, libraries compiled once, heavy files first."""

import os
import socketserver
import sys

# Workers times threads are the cores. OpenMP's limit holds for what asks for more by itself (LightGBM, implicit); all of
# it must be said before numpy or polars is imported, and processes that tests start inherit it.
for _name in (
    "OMP_NUM_THREADS",
    "OMP_THREAD_LIMIT",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "POLARS_MAX_THREADS",
):
    os.environ[_name] = "1"

# Where nothing may keep bytecode, each of the hundred processes that tests start compiles every library again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The HTTP server of the metrics looks twice a second whether it should end; tests end hundreds of them.
socketserver.BaseServer.serve_forever.__defaults__ = (0.02,)
