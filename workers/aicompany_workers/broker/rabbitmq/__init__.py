"""`ports.broker.Broker` on RabbitMQ 3.10 and newer, over pika's `AsyncioConnection`.

* `broker`: the port, put together from the rest.
* `link`: one supervised connection.
* `calls`: pika's callbacks as things one can wait for.
* `declarations`: exchanges and queues as RabbitMQ knows them.
* `publishing`: confirmed publishing in a bounded window.
* `consuming`: subscriptions that outlive connections.
* `hands`: what has been delivered and not settled, over all generations of connections.
* `state`: what the broker's connections say of themselves.
"""
