<?php

// The API has no views; Laravel wants to know where they would be.
return ['paths' => [], 'compiled' => storage_path('framework/views')];
