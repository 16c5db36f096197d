"""Reasons in words; what a stream of bytes is."""
