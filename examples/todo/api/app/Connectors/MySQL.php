<?php

namespace App\Connectors;

use App\Patience;
use Illuminate\Database\Connectors\MySqlConnector;

class MySQL extends MySqlConnector
{
    public function createConnection($dsn, array $config, array $options)
    {
        return Patience::with(fn () => parent::createConnection($dsn, $config, $options));
    }
}
