"""Protocols: a paper's or our own, from data to the figures printed."""
