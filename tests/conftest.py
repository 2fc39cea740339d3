"""How the whole suite runs: one thread a process."""

import os

# Workers times threads are the cores. OpenMP's limit holds for what asks for more by itself (LightGBM, implicit); all of
# it must be said before numpy or polars is imported, and processes that tests start inherit it.
for _name in ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ[_name] = "1"
