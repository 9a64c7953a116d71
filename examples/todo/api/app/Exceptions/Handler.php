<?php

namespace App\Exceptions;

use Illuminate\Database\QueryException;
use Illuminate\Foundation\Exceptions\Handler as ExceptionHandler;
use PDOException;
use RedisException;
use Symfony\Component\HttpFoundation\Response;
use Throwable;

/** Every answer is JSON. */
class Handler extends ExceptionHandler
{
    protected function shouldReturnJson($request, Throwable $e)
    {
        return true;
    }

    public function render($request, Throwable $e)
    {
        // The database or Redis is away, and stayed away while we waited.
        if (($e instanceof QueryException && $e->getPrevious() instanceof PDOException && $this->lostConnection($e))
            || $e instanceof RedisException) {
            return response()->json(['message' => 'The service is away for a moment.'], 503, ['Retry-After' => 2]);
        }
        return parent::render($request, $e);
    }

    protected function convertExceptionToArray(Throwable $e)
    {
        $answer = parent::convertExceptionToArray($e);
        if ($answer['message'] === '') {
            $answer['message'] = Response::$statusTexts[$this->isHttpException($e) ? $e->getStatusCode() : 500];
        }
        return $answer;
    }

    private function lostConnection(QueryException $e): bool
    {
        // SQLSTATE class 08 is "connection exception", 57P what PostgreSQL says when it stops or starts; the numbers are
        // MariaDB's for a server that is not there, is gone, or went in the middle.
        return (bool) preg_match('/SQLSTATE\[(08|57P|HY000\] \[?20(02|06|13)\b)/', $e->getMessage())
            || (bool) preg_match('/HY000\]: General error: 20(06|13)\b/', $e->getMessage());
    }
}
