"""The student list's API: ages by name, out of one JSON file, behind HTTP Basic authentication."""

import hmac
import json
import os
import sys
from functools import wraps

from flask import Flask, request
from werkzeug.exceptions import HTTPException, InternalServerError, NotFound, Unauthorized

AGES = "/pozos/api/v1.0/get_student_ages"


class DataError(Exception):
    """The data file is missing or does not hold what it should."""


def read_ages(path):
    """The file's {"name": age} object. It is small and may be edited by hand, so every request reads it again."""
    try:
        with open(path, encoding="utf-8") as file:
            ages = json.load(file)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{path} is not valid JSON: {error}") from error
    # `type`, not `isinstance`: True and False are ints too.
    if not isinstance(ages, dict) or any(type(age) is not int for age in ages.values()):
        raise DataError(f'{path} must be one object of the form {{"name": age}}')
    return ages


def required(name):
    value = os.environ.get(name, "")
    if not value:
        sys.exit(f"error: the environment variable {name} is not set; the API does not start without credentials")
    return value.encode()


def create_app():
    app = Flask(__name__, static_folder=None)
    app.json.ensure_ascii = False  # "Chloé", not "Chlo\u00e9"
    app.json.sort_keys = False  # the order of the file
    data_file = os.environ.get("STUDENT_AGE_FILE", "/data/student_age.json")
    username, password = required("API_USERNAME"), required("API_PASSWORD")

    def authenticated(view):
        @wraps(view)
        def checked(*args, **kwargs):
            given = request.authorization
            user = ((given and given.username) or "").encode()
            word = ((given and given.password) or "").encode()
            # Both are compared, each in constant time, so that the answer's timing tells nothing.
            if not (hmac.compare_digest(user, username) & hmac.compare_digest(word, password)):
                raise Unauthorized("valid credentials are required")
            return view(*args, **kwargs)

        return checked

    @app.get(AGES)
    @authenticated
    def all_ages():
        return app.json.response({"student_ages": read_ages(data_file)})

    @app.get(f"{AGES}/<name>")
    @authenticated
    def one_age(name):
        ages = read_ages(data_file)
        if name not in ages:
            raise NotFound(f"there is no student named {name}")
        return app.json.response(ages[name])

    @app.get("/healthz")
    def healthz():
        read_ages(data_file)
        return app.json.response({"status": "ok"})

    @app.errorhandler(DataError)
    def data_error(error):
        app.logger.error("%s", error)
        return http_error(InternalServerError(str(error)))

    @app.errorhandler(HTTPException)
    def http_error(error):
        response = app.json.response({"error": error.description})
        response.status_code = error.code
        if error.code == 401:
            response.headers["WWW-Authenticate"] = 'Basic realm="student list", charset="UTF-8"'
        return response

    return app
