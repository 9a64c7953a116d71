<?php

namespace App\Http\Controllers;

use App\Jobs\CountTodos;
use App\Models\Todo;
use Illuminate\Http\JsonResponse;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Cache;

class TodoController
{
    public function index(): array
    {
        // Kept by the list's version, which a change raises once it is in the database: what was read before a change
        // is never kept for after it.
        $version = (int) Cache::get('version', 0);
        $todos = Cache::remember("todos:$version", 60, static fn () => Todo::orderBy('id')->get()->toArray());
        return ['todos' => $todos, 'counts' => Cache::get('counts'), 'tidied_at' => Cache::get('tidied_at')];
    }

    public function store(Request $request): JsonResponse
    {
        $wanted = $request->validate(['title' => 'required|string|max:200']);
        $todo = Todo::create($wanted + ['done' => false, 'author' => $request->session()->get('name')]);
        $this->changed();
        return response()->json($todo, 201);
    }

    public function update(Request $request, Todo $todo): Todo
    {
        $todo->update($request->validate(['title' => 'sometimes|required|string|max:200', 'done' => 'sometimes|required|boolean']));
        $this->changed();
        return $todo;
    }

    public function destroy(Todo $todo): JsonResponse
    {
        $todo->delete();
        $this->changed();
        return response()->json(null, 204);
    }

    private function changed(): void
    {
        Cache::increment('version');
        CountTodos::dispatch();
    }
}
