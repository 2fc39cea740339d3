"""Benchmarks against peers and floors; each prints ratios measured in one run."""
