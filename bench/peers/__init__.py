"""The race: our worker beside Celery, Dramatiq, FastStream, Taskiq and a bare pika consumer.

Every contestant is a program in `contestants/`, written as its documentation recommends: durable classic queue,
acknowledgement after the work, publisher confirms where it publishes, one process that works, 100 tasks in flight. All
tasks are queued before the contestant's consumer starts; the time counts from the first handled to the last.

Where they differ: Dramatiq works on no-op tasks with 8 threads or greenlets, its default, with 100 messages prefetched,
and without its middleware (retries, limits), which makes it faster. Our worker runs with all it has but the store.
Quorum queues are not raced; `python -m bench.broker` holds ours against classic ones.
"""
