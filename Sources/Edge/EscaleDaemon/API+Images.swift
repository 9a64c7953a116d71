import EscaleAPI
import EscaleCore
import EscaleHTTP
import EscaleImages
import EscaleOCI
import EscaleSupervisor
import EscaleSystem

/// `image …`: the store's contents.
extension API {
    func image(_ verb: String, _ request: HTTPRequest) async throws -> HTTPResponse {
        let images = platform.images
        switch (request.method, verb) {
        case (.get, ""): return try json(images.list().map(ImageSummary.init))
        case (.get, "inspect"):
            return HTTPResponse(
                .ok, headers: Self.headers("application/json"), body: try images.inspectJSON(try name(request)))
        case (.delete, ""):
            let removal = try await images.remove(
                try name(request), force: request.query["force"] == "1", inUse: try await supervisor.imagesInUse())
            return try json(
                EscaleAPI.ImageRemoval(
                    untagged: removal.untagged.map(\.familiar), deleted: removal.deleted.map(\.description)))
        case (.post, "import"):
            let body: ImportRequest = try decode(request)
            let reference = try ImageReference(body.name)
            return lines { progress in
                progress(ProgressEvent("Image \(reference)", .working, "Importing", at: .now))
                let image = try await images.importTar(body.path, as: reference)
                progress(ProgressEvent("Image \(reference)", .done, "Imported", at: .now))
                return ImageSummary(image)
            }
        case (.post, "bootstrap"): return try bootstrap(try decode(request))
        default: throw Self.noSuchRoute(request)
        }
    }

    private func name(_ request: HTTPRequest) throws(EscaleError) -> String {
        guard let name = request.query["name"], !name.isEmpty else {
            throw EscaleError(.invalidInput, "the request names no image", hint: "add `?name=NAME`")
        }
        return name
    }
}

extension ImageSummary {
    init(_ image: StoredImage) {
        self.init(
            id: image.id.description, names: image.references.map(\.familiar), size: image.size,
            createdAt: image.created)
    }
}
