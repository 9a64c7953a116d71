<?php

use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Redis;
use Illuminate\Support\Facades\Route;

// The process is alive. Without the database it can do little, but restarting it would help nobody.
Route::get('/healthz', static fn () => ['status' => 'ok']);

Route::get('/readyz', static function () {
    DB::select('SELECT 1');
    Redis::ping();
    return ['status' => 'ok'];
});
