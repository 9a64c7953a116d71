/// Python: Django, Flask, and programs of any other kind.
extension Starter {
    static func django(_ survey: DirectorySurvey) -> Starter {
        let settings = survey.quoted(after: "DJANGO_SETTINGS_MODULE", in: "manage.py")
        let package = settings.flatMap { $0.split(separator: ".").first.map(String.init) } ?? "config"
        var starter = python(
            survey,
            serving: "[\"/opt/venv/bin/gunicorn\", \"--bind\", \"0.0.0.0:8000\", \"--worker-tmp-dir\", \"/dev/shm\", \"\(package).wsgi:application\"]",
            with: "gunicorn"
        )
        starter.title = "a Django application"
        starter.evidence = settings.map { "manage.py uses \($0)" } ?? "its libraries are Django's"
        starter.notes = [
            "ALLOWED_HOSTS must have the name that people use, such as localhost; SECRET_KEY belongs in .env",
            "a SQLite file is gone with its container: put it in a volume, or use a database service",
        ]
        if settings == nil { starter.notes.append("check the module at the end of the Dockerfile: \(package).wsgi") }
        return starter
    }

    static func flask(_ survey: DirectorySurvey) -> Starter {
        let application = flaskApplication(in: survey)
        var starter = python(
            survey,
            serving: "[\"/opt/venv/bin/gunicorn\", \"--bind\", \"0.0.0.0:8000\", \"--worker-tmp-dir\", \"/dev/shm\", \"\(application ?? "app:app")\"]",
            with: "gunicorn"
        )
        starter.title = "a Flask application"
        starter.evidence = "its libraries name Flask" + (application.map { ", and it is \($0)" } ?? "")
        if application == nil { starter.notes = ["check the module at the end of the Dockerfile: app:app"] }
        return starter
    }

    static func python(_ survey: DirectorySurvey) -> Starter {
        let program = survey.first(of: ["main.py", "app.py", "server.py", "run.py", "__main__.py"])
        var starter = python(survey, serving: "[\"/opt/venv/bin/python\", \"\(program ?? "main.py")\"]", with: nil)
        starter.title = "a Python application"
        starter.evidence = survey.has("requirements.txt") ? "there is requirements.txt" : "there is pyproject.toml"
        starter.notes = [
            "the program should listen on 0.0.0.0:8000; else change the port in compose.yaml and Dockerfile"
        ]
        if program == nil { starter.notes.append("say what to run at the end of the Dockerfile") }
        return starter
    }

    /// What all have in common.
    private static func python(_ survey: DirectorySurvey, serving command: String, with server: String?) -> Starter {
        let libraries = server.map { " \($0)" } ?? ""
        let install =
            survey.has("requirements.txt")
            ? """
            # The libraries come first: they change less often than the program, and their layer is kept.
            COPY requirements.txt /app/
            RUN python3 -m venv /opt/venv \\
                && /opt/venv/bin/pip install --no-cache-dir -r /app/requirements.txt\(libraries)

            COPY . /app/
            """
            : """
            COPY . /app/
            RUN python3 -m venv /opt/venv \\
                && /opt/venv/bin/pip install --no-cache-dir /app\(libraries)
            """
        return Starter(
            title: "",
            evidence: "",
            port: 8000,
            packages: ["python3", "python3-venv"],
            officialImage: "python:3.12-slim",
            instructions: """
                \(install)

                WORKDIR /app
                ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
                USER 10001:10001
                EXPOSE 8000
                # Healthy is what accepts connections; a request to a page of your own says more.
                HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \\
                    CMD ["/opt/venv/bin/python", "-c", "import socket; socket.create_connection(('127.0.0.1', 8000), 3)"]
                CMD \(command)

                """,
            ignored: ["__pycache__", "**/__pycache__", "**/*.pyc", ".venv", "venv", ".pytest_cache", "*.sqlite3"]
        )
    }

    /// `MODULE:NAME` as gunicorn wants it, from the first file that makes an application.
    private static func flaskApplication(in survey: DirectorySurvey) -> String? {
        for module in ["wsgi", "app", "main", "application", "server", "run"] {
            for line in survey.text("\(module).py")?.split(whereSeparator: \.isNewline) ?? [] {
                if line.hasPrefix("def create_app(") { return "\(module):create_app()" }
                let parts = line.split(separator: "=", maxSplits: 1).map { $0.filter { !$0.isWhitespace } }
                guard parts.count == 2, parts[0].allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" }) else { continue }
                if parts[1].hasPrefix("Flask(") || parts[1].hasPrefix("create_app(") { return "\(module):\(parts[0])" }
            }
        }
        return nil
    }
}
