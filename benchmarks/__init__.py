"""Measures the API beside a hand-written WSGI application doing the same SQL: `python -m benchmarks`."""
