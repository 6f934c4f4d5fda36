"""Celery: late acknowledgement, prefetch as many as are in flight, no results."""

from celery import Celery
from measuring import BODY, COUNT, IN_FLIGHT, MODEL_URL, QUEUE, URL, Meter

app = Celery("race", broker=URL.replace("/%2F", "//"))
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    task_default_queue=QUEUE,
    worker_prefetch_multiplier=1,
    broker_transport_options={"confirm_publish": True},
    worker_hijack_root_logger=False,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
)
meter = Meter()
client = None
if MODEL_URL:
    from calling import call, plain_client

    client = plain_client()


@app.task(name="race.work")
def work(number: int, text: str) -> None:
    meter.begin()
    if client is not None:
        call(client)
    meter.done()


def publish() -> None:
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(COUNT):
            work.apply_async(kwargs=BODY, producer=producer)


def consume(pool: str) -> None:
    app.worker_main(
        [
            "worker",
            f"--pool={pool}",
            f"--concurrency={IN_FLIGHT}",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
            "--loglevel=WARNING",
        ]
    )
