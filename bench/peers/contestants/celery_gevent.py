"""Celery with its gevent pool."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402

import celery_app  # noqa: E402

celery_app.publish() if sys.argv[1] == "publish" else celery_app.consume("gevent")
