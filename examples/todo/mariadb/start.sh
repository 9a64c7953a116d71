#!/bin/sh
# Starts MariaDB; makes the database first where the volume is new. Killed at any moment, it begins again.
set -eu
: "${DB_NAME:?}" "${DB_USER:?}" "${DB_PASSWORD_FILE:?}"
volume=/var/lib/mysql
data=$volume/10
options="--no-defaults --socket=/tmp/mysqld.sock --pid-file=/tmp/mysqld.pid"

if [ ! -d "$data" ]; then
    rm -rf "$volume/new"
    mariadb-install-db --no-defaults --datadir="$volume/new" --skip-test-db --auth-root-authentication-method=socket >&2
    # The user connects over the network with the password, and from inside without one: for health checks.
    {
        echo "FLUSH PRIVILEGES;"
        echo "CREATE DATABASE $DB_NAME CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;"
        echo "CREATE USER '$DB_USER'@'%' IDENTIFIED BY '$(cat "$DB_PASSWORD_FILE")';"
        echo "CREATE USER '$DB_USER'@'localhost';"
        echo "GRANT ALL ON $DB_NAME.* TO '$DB_USER'@'%';"
    } | mariadbd --no-defaults --datadir="$volume/new" --bootstrap >&2
    mv "$volume/new" "$data" # only what is complete has this name
fi

# shellcheck disable=SC2086
exec mariadbd $options --datadir="$data" --bind-address=0.0.0.0 --skip-name-resolve
