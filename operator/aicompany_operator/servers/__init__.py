"""Servers companies are given a place on: a vhost on RabbitMQ, a database on PostgreSQL; and what these tell."""
