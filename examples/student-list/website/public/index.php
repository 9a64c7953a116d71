<?php

declare(strict_types=1);

require __DIR__ . '/../src/student_api.php';

header("Content-Security-Policy: default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'");
header('X-Content-Type-Options: nosniff');
header('Cache-Control: no-store');

$asked = $_SERVER['REQUEST_METHOD'] === 'POST' && isset($_POST['submit']);
$ages = [];
$problem = null;
if ($asked) {
    try {
        $ages = fetch_student_ages();
    } catch (ApiProblem $exception) {
        $problem = $exception->getMessage();
        error_log('student list: ' . $exception->detail);
        http_response_code(502);
    }
}

function e(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE | ENT_HTML5, 'UTF-8');
}

?>
<!DOCTYPE html>
<html lang="en">
<head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Student list</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/style.css">
</head>
<body>
    <main>
        <h1>Student list</h1>
        <form method="post" action="/">
            <button type="submit" name="submit" value="list">List students</button>
        </form>
<?php if ($problem !== null) { ?>
        <p class="problem" role="alert"><?= e($problem) ?></p>
<?php } elseif ($asked && $ages === []) { ?>
        <p role="status">There are no students yet.</p>
<?php } elseif ($asked) { ?>
        <section aria-labelledby="students">
            <h2 id="students">Students</h2>
            <ul>
<?php foreach ($ages as $name => $age) { ?>
                <li><?= e("$name is $age years old") ?></li>
<?php } ?>
            </ul>
        </section>
<?php } ?>
    </main>
</body>
</html>
