#!/bin/sh
# Whether this replica can serve: PHP-FPM answers, and Laravel behind it. Exit code 0 if so.
answer=$(SCRIPT_FILENAME=/app/public/index.php SCRIPT_NAME=/index.php REQUEST_URI=/api/healthz REQUEST_METHOD=GET \
    SERVER_NAME=health SERVER_PORT=80 SERVER_PROTOCOL=HTTP/1.1 cgi-fcgi -bind -connect 127.0.0.1:9000 2>&1)
case "$answer" in
    *'"status":"ok"'*) ;;
    *) echo "/api/healthz answers: $answer" | head -c 500; exit 1 ;;
esac
