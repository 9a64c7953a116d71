<?php

namespace App\Jobs;

use App\Models\Todo;
use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Foundation\Bus\Dispatchable;
use Illuminate\Queue\InteractsWithQueue;
use Illuminate\Support\Facades\Cache;

/** Counts what is open and what is done; the page shows it as soon as the worker has got to it. */
class CountTodos implements ShouldQueue
{
    use Dispatchable, InteractsWithQueue, Queueable;

    public $tries = 5;

    public function handle(): void
    {
        Cache::forever('counts', [
            'open' => Todo::where('done', false)->count(),
            'done' => Todo::where('done', true)->count(),
        ]);
    }
}
