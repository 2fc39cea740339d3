"""The decision path: assign, find candidates, score, choose."""
