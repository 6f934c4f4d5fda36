"""The domain of AI Company: values, events and decisions.

Nothing here does I/O, reads a clock or draws a random number.
"""

__version__ = "0.1.0"
