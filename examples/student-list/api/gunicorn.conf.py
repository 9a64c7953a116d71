"""gunicorn's settings; see https://docs.gunicorn.org/en/stable/settings.html"""

bind = "0.0.0.0:5000"
workers = 2
threads = 4
preload_app = True  # a start without credentials fails at once, with one line, not in each worker
worker_tmp_dir = "/dev/shm"  # the root file system is read-only
graceful_timeout = 8  # seconds for requests under way after SIGTERM; below compose.yaml's stop_grace_period
accesslog = "-"
