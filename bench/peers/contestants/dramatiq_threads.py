"""Dramatiq with threads: 8, its default, for tasks without calls, else as many as are in flight."""

import sys

import dramatiq_app

dramatiq_app.publish() if sys.argv[1] == "publish" else dramatiq_app.consume()
