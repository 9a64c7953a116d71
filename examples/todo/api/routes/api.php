<?php

use App\Http\Controllers\MeController;
use App\Http\Controllers\TodoController;
use Illuminate\Support\Facades\Route;

Route::get('/todos', [TodoController::class, 'index']);
Route::post('/todos', [TodoController::class, 'store']);
Route::patch('/todos/{todo}', [TodoController::class, 'update'])->whereNumber('todo');
Route::delete('/todos/{todo}', [TodoController::class, 'destroy'])->whereNumber('todo');
Route::get('/me', [MeController::class, 'show']);
Route::put('/me', [MeController::class, 'update']);
