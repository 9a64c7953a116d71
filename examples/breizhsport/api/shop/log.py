"""Logs as JSON, one line each, on standard output."""

import datetime
import json
import logging


def timestamp(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat(timespec="milliseconds")


class JSONFormatter(logging.Formatter):
    def format(self, record):
        line = {"time": timestamp(record.created), "level": record.levelname.lower(), "event": record.getMessage()}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configuration():
    """For logging.config.dictConfig. gunicorn's own access log is off: gunicorn.conf.py writes it as JSON."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JSONFormatter}},
        "handlers": {
            "out": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"},
            "nowhere": {"class": "logging.NullHandler"},
        },
        "root": {"level": "INFO", "handlers": ["out"]},
        "loggers": {
            "gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True},
            "gunicorn.access": {"level": "INFO", "handlers": ["nowhere"], "propagate": False},
        },
    }
