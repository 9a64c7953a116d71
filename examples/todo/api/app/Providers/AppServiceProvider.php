<?php

namespace App\Providers;

use App\Connectors\MySQL;
use App\Connectors\Postgres;
use App\Connectors\Redis;
use Illuminate\Support\ServiceProvider;

class AppServiceProvider extends ServiceProvider
{
    public function register()
    {
        $this->app->bind('db.connector.pgsql', Postgres::class);
        $this->app->bind('db.connector.mysql', MySQL::class);
        $this->app->afterResolving('redis', static function ($redis): void {
            $redis->extend('patient', fn () => new Redis()); // Laravel binds the function to the manager
        });
    }
}
