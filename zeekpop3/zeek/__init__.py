"""Runs the zeek program; reads Zeek's other logs."""
