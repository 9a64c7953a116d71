import EscaleCore
import EscaleHTTP
import EscaleOCI

/// What a request to a registry is about (OCI distribution specification, endpoints).
enum RegistryRoute: Hashable, Sendable {
    case base
    case catalogue
    case tags(String)
    case manifest(String, reference: String)
    case blob(String, digest: String)
    case uploads(String)
    case upload(String, id: String)
    case referrers(String, digest: String)
    /// A page for people: of all repositories, or of one.
    case page(String?)

    /// - Throws: `NAME_INVALID`, and `UNSUPPORTED` for what there isn't.
    init(_ request: HTTPRequest) throws(RegistryProblem) {
        // Which the split below would take for one.
        guard !request.encodedPath.contains("//") else { throw .nameInvalid(request.path) }
        var path = request.segments
        guard path.first == "v2" else {
            guard path.isEmpty || path.first == "repositories" else { throw .unsupported }
            self = .page(path.count < 2 ? nil : try Self.name(path.dropFirst()))
            return
        }
        path.removeFirst()
        let count = path.count
        if count == 0 {
            self = .base
        } else if path == ["_catalog"] {
            self = .catalogue
        } else if count >= 3, path[count - 2] == "tags", path[count - 1] == "list" {
            self = .tags(try Self.name(path.dropLast(2)))
        } else if count >= 3, path[count - 2] == "blobs", path[count - 1] == "uploads" {
            self = .uploads(try Self.name(path.dropLast(2)))
        } else if count >= 4, path[count - 3] == "blobs", path[count - 2] == "uploads" {
            self = .upload(try Self.name(path.dropLast(3)), id: path[count - 1])
        } else if count >= 3, path[count - 2] == "blobs" {
            self = .blob(try Self.name(path.dropLast(2)), digest: path[count - 1])
        } else if count >= 3, path[count - 2] == "manifests" {
            self = .manifest(try Self.name(path.dropLast(2)), reference: path[count - 1])
        } else if count >= 3, path[count - 2] == "referrers" {
            self = .referrers(try Self.name(path.dropLast(2)), digest: path[count - 1])
        } else {
            throw .unsupported
        }
    }

    private static func name(_ parts: ArraySlice<String>) throws(RegistryProblem) -> String {
        try name(parts.joined(separator: "/"))
    }

    /// A repository's name, which may go into a path.
    static func name(_ name: String) throws(RegistryProblem) -> String {
        guard name.utf8.count <= 200, let reference = try? ImageReference("localhost/" + name),
            reference.repository == name, reference.tag == "latest", reference.digest == nil
        else { throw .nameInvalid(name) }
        return name
    }
}
