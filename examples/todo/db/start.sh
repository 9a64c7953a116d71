#!/bin/sh
# Starts PostgreSQL; makes the database first where the volume is new. Killed at any moment, it begins again.
set -eu
: "${DB_NAME:?}" "${DB_USER:?}" "${DB_PASSWORD_FILE:?}"
volume=/var/lib/postgresql/data
data=$volume/15

if [ ! -d "$data" ]; then
    rm -rf "$volume/new"
    # Collation by code point in UTF-8: the same order on every machine, whatever its C library is.
    initdb --pgdata="$volume/new" --username="$DB_USER" --pwfile="$DB_PASSWORD_FILE" --encoding=UTF8 --locale=C.UTF-8 \
        --auth-local=peer --auth-host=scram-sha-256 >&2
    echo "host all all all scram-sha-256" >>"$volume/new/pg_hba.conf"
    echo "CREATE DATABASE $DB_NAME;" | postgres --single -D "$volume/new" postgres >/dev/null
    mv "$volume/new" "$data" # only what is complete has this name
fi

exec postgres -D "$data" -c listen_addresses='*' -c unix_socket_directories=/run/postgresql -c shared_buffers=64MB \
    -c log_destination=stderr -c logging_collector=off
