<?php

namespace App\Connectors;

use App\Patience;
use Illuminate\Redis\Connectors\PhpRedisConnector;

class Redis extends PhpRedisConnector
{
    protected function createClient(array $config)
    {
        return Patience::with(fn () => parent::createClient($config));
    }
}
