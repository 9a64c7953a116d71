<?php

// Exits 0 when the web server and PHP answer, else 1 with a reason.
$body = @file_get_contents('http://127.0.0.1:8080/healthz', false, stream_context_create(['http' => ['timeout' => 3]]));
if ($body !== "ok\n") {
    fwrite(STDERR, (error_get_last()['message'] ?? 'unexpected answer from /healthz') . "\n");
    exit(1);
}
