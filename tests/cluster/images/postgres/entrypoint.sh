#!/bin/sh
# POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB make the first role and database, as in the official image.
set -eu
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
: "${POSTGRES_USER:=postgres}" "${POSTGRES_DB:=$POSTGRES_USER}"

make_cluster() {
  : "${POSTGRES_PASSWORD:?is not set}"
  mkdir -p "$PGDATA" && chmod 700 "$PGDATA"
  secret=$(mktemp) && printf '%s\n' "$POSTGRES_PASSWORD" >"$secret"
  initdb --username="$POSTGRES_USER" --pwfile="$secret" --encoding=UTF8 --locale=C.UTF-8 \
    --auth-local=trust --auth-host=scram-sha-256 >/dev/null
  rm -f "$secret"
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
}

# initdb wants its user to have a name, which a user that Kubernetes chose has not.
make_cluster_as_anybody() {
  if getent passwd "$(id -u)" >/dev/null; then
    make_cluster
    return
  fi
  names=$(mktemp -d)
  echo "postgres:x:$(id -u):$(id -g)::/:/bin/false" >"$names/passwd"
  echo "postgres:x:$(id -g):" >"$names/group"
  export NSS_WRAPPER_PASSWD="$names/passwd" NSS_WRAPPER_GROUP="$names/group"
  LD_PRELOAD=$(echo /usr/lib/*/libnss_wrapper.so) && export LD_PRELOAD
  make_cluster
  unset LD_PRELOAD NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
  rm -rf "$names"
}

carry_out() {
  case $1 in
    *.sh) . "$1" ;;
    *.sql) psql --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" -v ON_ERROR_STOP=1 -f "$1" ;;
  esac
}

case ${1:-} in -*) set -- postgres "$@" ;; esac
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
  make_cluster_as_anybody
  pg_ctl -w start -o "-c listen_addresses=''" >/dev/null
  [ "$POSTGRES_DB" = postgres ] || createdb --username="$POSTGRES_USER" --no-password "$POSTGRES_DB"
  for file in /docker-entrypoint-initdb.d/*; do
    [ ! -f "$file" ] || carry_out "$file"
  done
  pg_ctl -w -m fast stop >/dev/null
fi
[ "$1" != postgres ] || { shift; set -- postgres -c "listen_addresses=*" "$@"; }
exec "$@"
