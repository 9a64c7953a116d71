<?php

declare(strict_types=1);

/** The API did not give a list. The message is for the reader of the page, the detail for the log. */
final class ApiProblem extends RuntimeException
{
    public function __construct(string $message, public readonly string $detail)
    {
        parent::__construct($message);
    }
}

/**
 * Asks the API named by API_URL, as API_USERNAME with API_PASSWORD.
 *
 * @return array<string|int, int> ages by name, in the API's order
 * @throws ApiProblem
 */
function fetch_student_ages(): array
{
    $url = rtrim(getenv('API_URL') ?: 'http://api:5000', '/') . '/pozos/api/v1.0/get_student_ages';
    $credentials = base64_encode(getenv('API_USERNAME') . ':' . getenv('API_PASSWORD'));
    $context = stream_context_create(['http' => [
        'header' => ["Authorization: Basic $credentials", 'Accept: application/json'],
        'ignore_errors' => true, // an error status still has a body to read
        'follow_location' => 0,
        'timeout' => 5,
    ]]);

    // The warning of a failed connection is kept for the log: it is no text for a page.
    error_clear_last();
    $body = @file_get_contents($url, false, $context);
    if ($body === false || !isset($http_response_header[0])) {
        throw new ApiProblem(
            'The student service cannot be reached. Please try again in a moment.',
            error_get_last()['message'] ?? "no answer from $url",
        );
    }

    $status = (int) (explode(' ', $http_response_header[0])[1] ?? 0);
    if ($status === 401) {
        throw new ApiProblem(
            'The student service refused the credentials of this website. Please tell its operator.',
            "$url answered 401: check API_USERNAME and API_PASSWORD",
        );
    }
    $ages = json_decode($body, true)['student_ages'] ?? null;
    if ($status !== 200 || !is_array($ages) || array_filter($ages, 'is_int') !== $ages) {
        throw new ApiProblem(
            'The student service has a problem. Please try again in a moment.',
            "$url answered $status: " . substr(trim($body), 0, 200),
        );
    }
    return $ages;
}
