"""Who gets which arm within a budget, beside plain loops and a general solver. `python -m bench.allocation`.

Three instances in one run: 64,000 members × 2 arms beside the loops that uplift libraries use (each member's hull, then
one sort) and with limits on sends; 1,000 × 3 beside HiGHS on the same program; 5,000,000 × 10 in single precision, with the
memory that the process had at its most.
"""

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, kron, vstack

from experiments.send_plan.allocate import allocate
from experiments.send_plan.hull import Numbers
from experiments.send_plan.problem import PlanLimits

MEMBERS, ARMS = 64_000, 2
FEW, FEW_ARMS = 1_000, 3
MANY, MANY_ARMS = 5_000_000, 10
ROUNDS = 3


def by_loops(gains: Numbers, costs: Numbers, budget: float) -> float:
    """Return the gain of the same plan, found member by member in plain Python."""
    steps: list[tuple[float, float, float]] = []
    for member_gains, member_costs in zip(gains.tolist(), costs.tolist(), strict=True):
        cost = gain = 0.0
        while True:
            best = (0.0, 0.0, 0.0)
            for other_cost, other_gain in zip(member_costs, member_gains, strict=True):
                if other_cost > cost and other_gain > gain:
                    best = max(best, ((other_gain - gain) / (other_cost - cost), other_cost, other_gain))
            if best[0] <= 0:
                break
            steps.append((best[0], best[1] - cost, best[2] - gain))
            _, cost, gain = best
    steps.sort(key=lambda step: -step[0])
    spent = earned = 0.0
    for _, cost, gain in steps:
        if spent + cost > budget:
            break
        spent, earned = spent + cost, earned + gain
    return earned


def by_solver(gains: Numbers, costs: Numbers, budget: float) -> float:
    """Return the optimum of the relaxed program, by HiGHS."""
    once = kron(csr_array(np.eye(len(gains))), csr_array(np.ones((1, gains.shape[1]))))
    found = linprog(
        -gains.ravel(),
        A_ub=vstack([once, csr_array(costs.reshape(1, -1))]).tocsr(),
        b_ub=np.append(np.ones(len(gains)), budget),
        bounds=(0, None),
        method="highs",
    )
    return -float(found.fun)


def instance(members: int, arms: int, kind: type[np.floating]) -> tuple[Numbers, Numbers, PlanLimits]:
    """Return random gains and costs, and a budget for about a tenth of the members."""
    random = np.random.default_rng(1)
    gains = random.standard_normal((members, arms), dtype=np.float32).astype(kind) + kind(0.3)
    costs = random.random((members, arms), dtype=np.float32).astype(kind) + kind(0.05)
    return gains, costs, PlanLimits(0.05 * members)


def seconds(call: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the shortest of a few times."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return min(times)


def beside_loops() -> None:
    """Print both times of 64,000 members, and that of a plan that counts sends."""
    gains, costs, limits = instance(MEMBERS, ARMS, np.float64)
    ours, theirs = (
        seconds(lambda: allocate(gains, costs, limits)),
        seconds(lambda: by_loops(gains, costs, limits.budget)),
    )
    same = allocate(gains, costs, limits).gain / by_loops(gains, costs, limits.budget)
    print(
        f"{MEMBERS:9,} × {ARMS}: {ours:.3f} s, plain loops {theirs:.3f} s, ratio {theirs / ours:.0f}; gain {same:.9f} of theirs"
    )
    counted = PlanLimits(limits.budget, sends=MEMBERS // 20)
    begun = time.perf_counter()
    found = allocate(gains, costs, counted)
    print(
        f"{MEMBERS:9,} × {ARMS} with a limit on sends: {time.perf_counter() - begun:.2f} s, gap {found.gap / found.bound:.1e}"
    )


def beside_solver() -> None:
    """Print both times of 1,000 members."""
    gains, costs, limits = instance(FEW, FEW_ARMS, np.float64)
    ours, theirs = (
        seconds(lambda: allocate(gains, costs, limits)),
        seconds(lambda: by_solver(gains, costs, limits.budget)),
    )
    same = allocate(gains, costs, limits).bound / by_solver(gains, costs, limits.budget)
    print(
        f"{FEW:9,} × {FEW_ARMS}: {ours:.4f} s, HiGHS {theirs:.3f} s, ratio {theirs / ours:.0f}; bound {same:.9f} of its optimum"
    )


def many(members: int) -> None:
    """Print time and memory of many members, with money alone and with a cap and a limit on sends."""
    gains, costs, limits = instance(members, MANY_ARMS, np.float32)
    for name, tried in (
        ("money", limits),
        ("money, sends and a cap", PlanLimits(limits.budget, sends=members // 5, caps={0: members // 50})),
    ):
        begun = time.perf_counter()
        found = allocate(gains, costs, tried)
        took = time.perf_counter() - begun
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{members:9,} × {MANY_ARMS}, {name}: {took:.1f} s, {peak:.1f} GiB at most, gap {found.gap / found.bound:.1e}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--members", type=int, default=MANY, help="members of the largest instance")
    given = parser.parse_args()
    beside_loops()
    beside_solver()
    many(given.members)
