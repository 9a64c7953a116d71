<?php

$shared = [
    'host' => env('DB_HOST', 'db'),
    'database' => env('DB_NAME', 'todo'),
    'username' => env('DB_USER', 'todo'),
    'password' => secret('DB_PASSWORD_FILE'),
    'prefix' => '',
    'options' => [PDO::ATTR_TIMEOUT => 3],
];

return [
    'default' => env('DB_CONNECTION', 'pgsql'),
    'connections' => [
        'pgsql' => ['driver' => 'pgsql', 'port' => 5432, 'charset' => 'utf8', 'schema' => 'public'] + $shared,
        'mysql' => [
            'driver' => 'mysql', 'port' => 3306, 'charset' => 'utf8mb4', 'collation' => 'utf8mb4_unicode_ci', 'strict' => true,
        ] + $shared,
    ],
    'migrations' => 'migrations',
    'redis' => [
        'client' => 'patient',
        'options' => ['prefix' => 'todo:'],
        'default' => ['host' => env('REDIS_HOST', 'redis'), 'port' => 6379, 'database' => 0, 'timeout' => 2.0, 'read_timeout' => 10.0],
    ],
];
