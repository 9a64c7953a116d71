<?php

declare(strict_types=1);

// Apache and PHP answer. Whether the API does is the API's own health check, and the page's message to the reader.
header('Content-Type: text/plain; charset=utf-8');
header('Cache-Control: no-store');
echo "ok\n";
