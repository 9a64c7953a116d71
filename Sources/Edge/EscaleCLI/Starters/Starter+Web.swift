import FoundationEssentials

/// Node programs, and sites that are only files.
extension Starter {
    static func node(_ survey: DirectorySurvey) -> Starter {
        let package = NodePackage(survey.text("package.json") ?? "")
        let install = survey.has("package-lock.json") ? "npm ci" : "npm install"
        let build = package.scripts["build"] == nil ? "" : "RUN npm run build && npm prune --omit=dev\n"
        let start = package.startCommand
        var starter = Starter(
            title: "a Node application",
            evidence: "there is package.json" + (package.scripts["start"].map { ", which starts with `\($0)`" } ?? ""),
            port: 3000,
            packages: ["nodejs", "npm"],
            officialImage: "node:22-slim",
            instructions: """
                WORKDIR /app
                # The libraries come first: they change less often than the program, and their layer is kept.
                COPY package*.json ./
                RUN \(install)\(build.isEmpty ? " --omit=dev" : "")

                COPY . .
                \(build)
                ENV NODE_ENV=production PORT=3000
                USER 10001:10001
                EXPOSE 3000
                # Healthy is what accepts connections; a request to a page of your own says more.
                HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \\
                    CMD ["node", "-e", "require('net').connect(3000, '127.0.0.1').on('connect', () => process.exit(0)).on('error', () => process.exit(1))"]
                CMD [\(start.map { "\"\($0)\"" }.joined(separator: ", "))]

                """,
            ignored: ["node_modules", "npm-debug.log*", "coverage"]
        )
        starter.notes = ["the program should listen on 0.0.0.0 and on the port in PORT, 3000"]
        if package.scripts["start"] == nil { starter.notes.append("say what to run at the end of the Dockerfile: \(start.joined(separator: " "))") }
        return starter
    }

    static func staticSite(_ survey: DirectorySurvey) -> Starter {
        let directory = survey.siteDirectory ?? "."
        return Starter(
            title: "a static site",
            evidence: directory == "." ? "there is index.html" : "there is \(directory)/index.html",
            port: 8080,
            packages: ["nginx-light", "curl"],
            officialImage: "nginx:1.27",
            instructions: """
                COPY <<'EOF' /etc/nginx/nginx.conf
                pid /tmp/nginx.pid;
                error_log stderr;
                worker_processes 2;
                events {}
                http {
                    include mime.types;
                    access_log /dev/stdout;
                    server_tokens off;
                    sendfile on;
                    gzip on;
                    gzip_types text/css application/javascript application/json image/svg+xml;
                    client_body_temp_path /tmp/body;
                    proxy_temp_path /tmp/proxy;
                    fastcgi_temp_path /tmp/fastcgi;
                    uwsgi_temp_path /tmp/uwsgi;
                    scgi_temp_path /tmp/scgi;
                    server {
                        listen 8080;
                        root /srv/site;
                        location ~ /\\. { return 404; }
                    }
                }
                EOF

                COPY \(directory) /srv/site/

                USER 10001:10001
                EXPOSE 8080
                HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \\
                    CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:8080/"]
                STOPSIGNAL SIGQUIT
                CMD ["nginx", "-g", "daemon off;"]

                """,
            ignored: ["node_modules", "*.md"],
            isReadOnly: true
        )
    }
}

/// The parts of a package.json that say how a program is built and started.
struct NodePackage: Decodable {
    private(set) var scripts: [String: String] = [:]
    private var main: String?

    private enum CodingKeys: CodingKey { case scripts, main }

    /// Nothing where the text is no package.json.
    init(_ text: String) {
        if let package = try? JSONDecoder().decode(Self.self, from: Data(text.utf8)) { self = package }
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        scripts = try values.decodeIfPresent([String: String].self, forKey: .scripts) ?? [:]
        main = try values.decodeIfPresent(String.self, forKey: .main)
    }

    /// Without npm in between where it is one program, so that signals reach that.
    var startCommand: [String] {
        guard let script = scripts["start"] else { return ["node", main ?? "index.js"] }
        let words = script.split(separator: " ").map(String.init)
        let isPlain = script.allSatisfy { $0.isLetter || $0.isNumber || " ./_-@".contains($0) }
        return words.first == "node" && isPlain ? words : ["npm", "start"]
    }
}
