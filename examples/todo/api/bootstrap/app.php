<?php

require_once __DIR__ . '/../autoload.php';

// Everything that Laravel writes goes to memory: the root is read-only.
$storage = '/tmp/laravel';
foreach (['framework/cache', 'framework/views', 'logs'] as $directory) {
    if (!is_dir("$storage/$directory")) {
        @mkdir("$storage/$directory", 0700, true); // a sibling may be making it
    }
}
foreach (['SERVICES', 'PACKAGES', 'CONFIG', 'ROUTES', 'EVENTS'] as $kind) {
    $_ENV["APP_{$kind}_CACHE"] = $_SERVER["APP_{$kind}_CACHE"] = "$storage/" . strtolower($kind) . '.php';
}

$app = new Illuminate\Foundation\Application(dirname(__DIR__));
$app->useStoragePath($storage);
$app->singleton(Illuminate\Contracts\Http\Kernel::class, App\Http\Kernel::class);
$app->singleton(Illuminate\Contracts\Console\Kernel::class, App\Console\Kernel::class);
$app->singleton(Illuminate\Contracts\Debug\ExceptionHandler::class, App\Exceptions\Handler::class);

return $app;
