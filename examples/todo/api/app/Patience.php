<?php

namespace App;

use Throwable;

/** Waits for what is away for a moment, such as a database that starts again. */
final class Patience
{
    private const SECONDS = 10;

    /**
     * The connection that the function makes; it is tried again while it fails.
     *
     * @template T
     * @param callable(): T $connect
     * @return T
     */
    public static function with(callable $connect)
    {
        $deadline = microtime(true) + self::SECONDS;
        while (true) {
            try {
                return $connect();
            } catch (Throwable $error) {
                if (microtime(true) > $deadline) {
                    throw $error;
                }
                usleep(200_000);
            }
        }
    }
}
