package import EscaleCore

/// What machines an image is for, in Go's words: `linux/amd64`, `linux/arm/v7`.
package struct ImagePlatform: Hashable, Codable, Sendable, CustomStringConvertible {
    package var os: String
    package var architecture: String
    package var variant: String?

    package init(os: String = "linux", architecture: String, variant: String? = nil) {
        self.os = os
        self.architecture = architecture
        self.variant = variant
    }

    /// - Throws: `image.platform` for what isn't `OS/ARCHITECTURE` with or without a variant.
    package init(_ text: String) throws(EscaleError) {
        let parts = text.lowercased().split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard (1...3).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else {
            throw EscaleError(
                .init("image.platform"),
                "\"\(text)\" is not a platform",
                hint: "write it like linux/amd64 or linux/arm/v7"
            )
        }
        let names = ["x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386"]
        let machine = parts.count == 1 ? parts[0] : parts[1]
        os = parts.count == 1 ? "linux" : parts[0]
        architecture = names[machine] ?? machine
        variant = parts.count > 2 ? parts[2] : nil
        if architecture == "arm64" && variant == "v8" { variant = nil }
    }

    package var description: String { [os, architecture, variant].compactMap { $0 }.joined(separator: "/") }

    /// Whether an image for the other runs where this is wanted. An image that says no variant runs on each.
    package func accepts(_ other: ImagePlatform) -> Bool {
        os == other.os && architecture == other.architecture
            && (variant == nil || other.variant == nil || variant == other.variant)
    }

    /// The image for this platform.
    ///
    /// - Parameter what: how a message names all of them together.
    /// - Throws: `image.platform` where none is for it, naming those that are there.
    package func choose(among entries: [Descriptor], what: String) throws(EscaleError) -> Descriptor {
        let images = entries.filter { $0.platform?.os != "unknown" }
        let fitting = images.filter { $0.platform.map(accepts) ?? true }
        if let exact = fitting.first(where: { $0.platform == self }) ?? fitting.first { return exact }
        let others = images.compactMap { $0.platform?.description }
        throw EscaleError(
            .init("image.platform"),
            "there is no image for \(self) in \(what)",
            hint: others.isEmpty ? "it is empty" : "it has " + others.joined(separator: ", ")
        )
    }

    private enum CodingKeys: String, CodingKey { case os, architecture, variant }
}

extension ImageConfig {
    package var platform: ImagePlatform {
        ImagePlatform(os: os, architecture: architecture, variant: variant)
    }
}

extension ImageManifest {
    /// How many layers an image may have: as many as can be stacked.
    package static let maximalLayers = 500

    /// - Throws: `image.manifest` for one that can't be true.
    package func check() throws(EscaleError) {
        func bad(_ reason: String) -> EscaleError {
            EscaleError(
                .init("image.manifest"),
                "the image is not valid: \(reason)",
                hint: "make or fetch it again"
            )
        }
        guard schemaVersion == 2 else { throw bad("its manifest has schema version \(schemaVersion), not 2") }
        guard layers.count <= Self.maximalLayers else { throw bad("it has too many layers: \(layers.count)") }
        for part in [config] + layers {
            guard part.size >= 0 else { throw bad("blob \(part.digest.short) has the size \(part.size)") }
        }
        guard config.size <= 8 << 20 else {
            throw bad("its configuration is too large, \(ByteCount(config.size))")
        }
        guard MediaType.configs.contains(config.mediaType) else {
            throw bad(
                "its configuration has the media type \"\(config.mediaType.prefix(100))\", so it is something else than an image"
            )
        }
        if let layer = layers.first(where: {
            $0.mediaType.contains("foreign") || $0.mediaType.contains("nondistributable")
        }) {
            throw bad("layer \(layer.digest.short) is kept elsewhere (\(layer.mediaType))")
        }
        if let layer = layers.first(where: { !MediaType.layers.contains($0.mediaType) }) {
            throw bad(
                "layer \(layer.digest.short) has the unknown media type \"\(layer.mediaType.prefix(100))\""
            )
        }
    }
}
