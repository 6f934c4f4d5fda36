"""Celery with its thread pool."""

import sys

import celery_app

celery_app.publish() if sys.argv[1] == "publish" else celery_app.consume("threads")
