<?php

return [
    'boolean' => 'The :attribute must be true or false.',
    'max' => ['string' => 'The :attribute has room for :max letters.'],
    'required' => 'The :attribute is missing.',
    'string' => 'The :attribute must be a text.',
];
