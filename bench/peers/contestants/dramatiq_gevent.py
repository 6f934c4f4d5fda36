"""Dramatiq with gevent."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402

import dramatiq_app  # noqa: E402

dramatiq_app.publish() if sys.argv[1] == "publish" else dramatiq_app.consume()
