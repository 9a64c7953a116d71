<?php

namespace App\Console;

use App\Models\Todo;
use Illuminate\Console\Scheduling\Schedule;
use Illuminate\Foundation\Console\Kernel as ConsoleKernel;
use Illuminate\Support\Facades\Cache;
use Illuminate\Support\Facades\Log;

class Kernel extends ConsoleKernel
{
    /** What `artisan schedule:work` runs. */
    protected function schedule(Schedule $schedule)
    {
        $schedule->call(static function (): void {
            $removed = Todo::where('done', true)->where('updated_at', '<', now()->subDay())->delete();
            Cache::forever('tidied_at', now()->toIso8601String());
            Log::info('tidied', ['removed' => $removed]);
        })->everyMinute()->name('tidy')->onOneServer();
    }
}
