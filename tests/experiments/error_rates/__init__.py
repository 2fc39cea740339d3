"""How often the methods err, measured on simulated experiments.

The tests run a part of the simulations; ``python -m tests.experiments.error_rates`` runs all of them in full and writes
what it measured to ``experiments/analysis/error_rates.json`` and ``docs/error-rates.md``.
"""
