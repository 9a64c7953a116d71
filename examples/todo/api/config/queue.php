<?php

return [
    'default' => 'redis',
    'connections' => [
        // A job whose worker died is given to another one after retry_after seconds.
        'redis' => ['driver' => 'redis', 'connection' => 'default', 'queue' => 'default', 'retry_after' => 60, 'block_for' => 5],
    ],
    'failed' => ['driver' => 'null'],
];
