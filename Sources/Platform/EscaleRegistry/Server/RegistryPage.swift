import EscaleCore
import EscaleHTTP
import EscaleImages
import EscaleOCI

/// The registry's pages for people: which repositories there are, and what each holds. They change nothing and need no script.
struct RegistryPage: Sendable {
    let store: ImageStore

    /// - Parameter name: a repository; `nil` for the list of all.
    func answer(_ name: String?) throws -> HTTPResponse {
        let body = try name.map(repository) ?? list()
        return HTTPResponse(
            .ok,
            headers: [
                "Content-Type": "text/html; charset=utf-8",
                "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
            ],
            body: Array(Self.frame(name ?? "Images", body).utf8)
        )
    }

    private func list() throws -> String {
        let repositories = store.repositories
        let names = try repositories.names()
        guard !names.isEmpty else {
            return
                "<p>There is nothing here yet. Push an image: <code>escale push THIS-HOST/NAME:TAG</code></p>"
        }
        let rows = try names.map { name in
            let tags = try repositories.tags(in: name)
            let manifests = try repositories.manifests(in: name)
            let size = Set(manifests.flatMap(\.parts)).reduce(Int64(0)) { $0 + max(0, $1.size) }
            return """
                <tr><td><a href="/repositories/\(Self.escaped(name))">\(Self.escaped(name))</a></td>
                <td>\(tags.map { "<code>\(Self.escaped($0))</code>" }.joined(separator: " "))</td>
                <td class="n">\(ByteCount(size))</td>
                <td>\(manifests.first.map { Self.date($0.pushed) } ?? "")</td></tr>
                """
        }
        return """
            <table><thead><tr><th>Repository</th><th>Tags</th><th class="n">Size</th><th>Last pushed</th></tr></thead>
            <tbody>\(rows.joined(separator: "\n"))</tbody></table>
            """
    }

    private func repository(_ name: String) throws -> String {
        let repositories = store.repositories
        let manifests = try repositories.manifests(in: name)
        guard !manifests.isEmpty else { throw RegistryProblem.nameUnknown(name) }
        var tags: [Digest: [String]] = [:]
        for tag in try repositories.tags(in: name) {
            if let digest = repositories.digest(of: tag, in: name) { tags[digest, default: []].append(tag) }
        }
        let sections = manifests.map { manifest in
            let digest = manifest.descriptor.digest
            let names = (tags[digest] ?? []).map(Self.escaped)
            let size = manifest.parts.reduce(Int64(0)) { $0 + max(0, $1.size) }
            let parts = manifest.parts.map { part in
                """
                <tr><td><code>\(part.digest)</code></td><td>\(Self.kind(of: part, in: manifest))</td>
                <td class="n">\(ByteCount(part.size))</td></tr>
                """
            }
            return """
                <section><h2>\(names.isEmpty ? "<i>no tag</i>" : names.joined(separator: ", "))</h2>
                <dl><dt>Digest</dt><dd><code>\(digest)</code></dd>
                <dt>Pushed</dt><dd>\(Self.date(manifest.pushed))</dd>
                <dt>Size</dt><dd>\(ByteCount(size))</dd>
                <dt>Type</dt><dd><code>\(Self.escaped(manifest.descriptor.mediaType))</code></dd></dl>
                <table><thead><tr><th>\(manifest.isIndex ? "Images" : "Configuration and layers")</th><th></th>
                <th class="n">Size</th></tr></thead><tbody>\(parts.joined(separator: "\n"))</tbody></table></section>
                """
        }
        return "<p><a href=\"/\">All repositories</a></p>" + sections.joined(separator: "\n")
    }

    private static func kind(of part: Descriptor, in manifest: Repositories.Manifest) -> String {
        if manifest.isIndex { return escaped(part.platform?.description ?? "") }
        return part == manifest.parts.first ? "configuration" : "layer"
    }

    private static func date(_ time: Timestamp) -> String {
        let text = time.description
        return text.prefix(16).replacing("T", with: " ") + " UTC"
    }

    static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;").replacing("'", with: "&#39;")
    }

    private static func frame(_ title: String, _ body: String) -> String {
        """
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
        <title>\(escaped(title)) · Escale registry</title><style>
        body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: #1c2530; }
        h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem } a { color: #0b62a8 }
        table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .35rem .6rem .35rem 0;
        border-bottom: 1px solid #dde3ea; vertical-align: top } .n { text-align: right; white-space: nowrap }
        code { font-size: .85rem; word-break: break-all } dl { display: grid; grid-template-columns: 6rem 1fr; margin: 0 0 .5rem }
        dd { margin: 0 } @media (prefers-color-scheme: dark) { body { background: #12181f; color: #dfe6ee }
        a { color: #7cc0ff } th, td { border-color: #2b3642 } }
        </style></head><body><h1>\(escaped(title))</h1>
        \(body)
        </body></html>
        """
    }
}
