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
        // One at a time: an older count must not be written after a newer one.
        Cache::lock('counting', 10)->block(10, static fn () => Cache::forever('counts', [
            'open' => Todo::where('done', false)->count(),
            'done' => Todo::where('done', true)->count(),
        ]));
    }
}
