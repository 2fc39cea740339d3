"""A small table whose figures other libraries computed, made without random numbers of any library."""

UNITS = 400


def columns() -> dict[str, list[object]]:
    """Return the columns of 400 units: two variants, skewed revenue, orders, covariates, gaps, segments, stores."""
    found: dict[str, list[object]] = {}
    for unit in range(UNITS):
        # Linear congruential numbers in [0, 1), so that the same table can be made anywhere.
        u, v, w, x = (
            ((unit * 7919 + k * 104_729 + 17) * 1_103_515_245 + 12_345) % 2**31 / 2**31 for k in range(4)
        )
        new = unit % 2
        before = 20 * u * u + 3
        orders_before = 1 + int(4 * v)
        orders = 1 + int(3 * v + 2 * w)
        revenue = round(0.6 * before + 9 * x * x * orders + 1.5 * new, 4)
        row: dict[str, object] = {
            "unit_id": f"u{unit:03}",
            "variant": "new" if new else "control",
            "revenue": revenue,
            "orders": float(orders),
            "before": round(before, 4),
            "orders_before": float(orders_before),
            "age": 18 + int(60 * w),
            "cost": round(2 * v + new, 4),
            "clicked": int(w < 0.3 + 0.1 * new),
            "gappy": None if unit % 7 == 3 else revenue,
            "met": x < 0.5,
            "segment": "a" if u < 0.4 else "b" if u < 0.8 else None,
            "store": f"s{unit // 10}-{new}",
        }
        for name, value in row.items():
            found.setdefault(name, []).append(value)
    return found
