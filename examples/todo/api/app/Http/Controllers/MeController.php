<?php

namespace App\Http\Controllers;

use Illuminate\Http\Request;

/** Who is at the browser: kept in the session, which is in Redis, so that any replica knows. */
class MeController
{
    public function show(Request $request): array
    {
        return ['name' => $request->session()->get('name')];
    }

    public function update(Request $request): array
    {
        $request->session()->put('name', $request->validate(['name' => 'required|string|max:50'])['name']);
        return $this->show($request);
    }
}
