"""Troth: experimentation and recommendation for loyalty programmes."""
