"""Offline jobs: data, recommenders, evaluation, tracking and the bundle that the server reads."""
