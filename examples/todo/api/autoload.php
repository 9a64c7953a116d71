<?php

// Debian's packages have an autoloader each, and no Composer; the application's own classes are under app/.

require '/usr/share/php/Illuminate/autoload.php';

spl_autoload_register(static function (string $class): void {
    if (str_starts_with($class, 'App\\')) {
        $file = __DIR__ . '/app/' . str_replace('\\', '/', substr($class, 4)) . '.php';
        if (is_file($file)) {
            require $file;
        }
    }
});

/** The text of the file that an environment variable names. */
function secret(string $variable): ?string
{
    $path = getenv($variable);
    return is_string($path) && is_readable($path) ? trim((string) file_get_contents($path)) : null;
}
