#!/usr/bin/env python3
"""The todo list from end to end, as in production; then, in short, with MariaDB.

usage: todo.py
"""

import json
import sys
import time

from support import Client, Example, Failure, expect, wait_until


def todos(app):
    return json.loads(app.get("/api/todos")[1])["todos"]


def add(app, title):
    status, text = app.ask("POST", "/api/todos", {"title": title})
    expect(status == 201, f"adding a todo gives {status} {text}")
    return json.loads(text)


def counted(app):
    """Waits until the worker has counted what is there."""
    def same():
        answer = json.loads(app.get("/api/todos")[1])
        done = sum(todo["done"] for todo in answer["todos"])
        return answer["counts"] == {"open": len(answer["todos"]) - done, "done": done}
    wait_until("the worker to count", same)


def tidied(app):
    """Waits until the scheduler has done its work: at each full minute."""
    wait_until("the scheduler to tidy", lambda: json.loads(app.get("/api/todos")[1])["tidied_at"])
    app.say("the scheduler has tidied")


def answers_right(app):
    expect(app.ask("POST", "/api/todos", {"title": "x" * 300})[0] == 422, "a title of 300 letters is taken")
    expect(app.get("/api/nothing")[0] == 404, "there is an /api/nothing")
    expect(app.get("/api/readyz") == (200, '{"status":"ok"}'), "not ready")


def releases_under_load(app):
    app.edit("web/src/main.jsx", "<h1>Todo</h1>", "<h1>Todo, second edition</h1>")
    app.edit("api/app/Http/Controllers/TodoController.php", "'counts' =>", "'edition' => 2, 'counts' =>")
    (app.directory / "api/database/migrations/2027_02_01_000000_due.php").write_text(
        (app.directory / "api/database/migrations/2027_01_01_000000_todos.php").read_text(encoding="utf-8")
        .replace("Schema::create", "Schema::table")
        .partition("$table->id();")[0] + "$table->date('due')->nullable();\n        });\n    }\n};\n", encoding="utf-8")
    with Client(app.url, "/", "/api/todos") as client:
        app.up()
        app.page_says("/main.js", "second edition")
        expect(json.loads(app.get("/api/todos")[1])["edition"] == 2, "the API is the former one")
        app.say(f"a release of page, API, worker and tables: {client.lost(0, 'the release')}")


def survives(app):
    with Client(app.url, "/", "/api/todos") as client:
        # The two callers may each have had a request in what died.
        for service in ("web", "api", "redis", "db"):
            app.kill_each(service, client, most=2)
        for service in ("worker", "scheduler"):
            app.kill_each(service, client, most=0)
        with app.cut_off("redis"):
            time.sleep(2)
        app.say(f"Redis cut off for 2 s: {client.lost(2, 'Redis was cut off')}")
    with app.cut_off("redis"):
        status, text = app.get("/api/todos")
        expect(status == 503 and "away" in text, f"without Redis: {status} {text}")
        app.say(f"without Redis for long: {status} {text}")
    wait_until("the list", lambda: app.get("/api/todos")[0] == 200)
    add(app, "after all that")
    counted(app)
    app.say("the worker works")


def in_production():
    with Example("todo", "TODO_PORT", "compose.yaml", "compose.prod.yaml") as app:
        app.up()
        app.say("up from nothing: " + ", ".join(f"{len(app.running(name))} {name}" for name in ("web", "api", "worker")))
        app.browse()
        answers_right(app)
        app.up("--scale", "api=4")
        expect(len(app.running("api")) == 4, "not 4 replicas of the API")
        app.say("4 replicas of the API")
        releases_under_load(app)
        survives(app)
        before = todos(app)
        with Client(app.url, "/", "/api/todos") as client:
            app.roll_back(client, "/main.js", "second edition")
        tidied(app)
        app.escale("down")
        app.up()
        titles = [todo["title"] for todo in todos(app)]
        expect(titles == [todo["title"] for todo in before], f"todos are missing: {titles}")
        counted(app)
        app.say(f"down and up again: {len(titles)} todos are there")


def with_mariadb():
    with Example("todo", "TODO_PORT", "compose.yaml", "compose.mariadb.yaml") as app:
        app.up()
        add(app, "Déjeuner à midi ☀")
        counted(app)
        with Client(app.url, "/", "/api/todos") as client:
            app.kill_each("db", client, most=2)
        expect([todo["title"] for todo in todos(app)] == ["Déjeuner à midi ☀"], "the todo is not there")
        app.say("with MariaDB: a todo added, counted, and there after the database was killed")


def main():
    try:
        in_production()
        with_mariadb()
    except Failure as failure:
        sys.exit(f"failed: {failure}")


if __name__ == "__main__":
    main()
