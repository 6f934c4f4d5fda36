#!/bin/sh
# RABBITMQ_DEFAULT_USER, _PASS and _VHOST make the first login, as in the official image.
set -eu
{
  echo "loopback_users = none"
  echo "listeners.tcp.default = 5672"
  echo "log.console = true"
  echo "log.file = false"
  echo "log.console.level = warning"
  [ -z "${RABBITMQ_DEFAULT_USER:-}" ] || echo "default_user = $RABBITMQ_DEFAULT_USER"
  [ -z "${RABBITMQ_DEFAULT_PASS:-}" ] || echo "default_pass = $RABBITMQ_DEFAULT_PASS"
  [ -z "${RABBITMQ_DEFAULT_VHOST:-}" ] || echo "default_vhost = $RABBITMQ_DEFAULT_VHOST"
} >/etc/rabbitmq/conf.d/10-defaults.conf
unset RABBITMQ_DEFAULT_USER RABBITMQ_DEFAULT_PASS RABBITMQ_DEFAULT_VHOST
# What Kubernetes says of a Service called rabbitmq would be taken for settings.
for name in $(env | sed -n 's/^\(RABBITMQ_\(PORT\|SERVICE\)[A-Z0-9_]*\)=.*/\1/p'); do unset "$name"; done
exec "$@"
