package import EscaleCore
import EscaleOCI

extension EscaleError.Code {
    package static let imageNotFound = EscaleError.Code("image.not-found")
    package static let imageInUse = EscaleError.Code("image.in-use")
}

extension EscaleError {
    static func imageNotFound(_ text: String) -> Self {
        Self(
            .imageNotFound,
            "there is no image \"\(text)\" here",
            hint: "build it, or bring it in with `escale pull`, `escale image load` or `escale image bootstrap`"
        )
    }

    static func imageAmbiguous(_ text: String, _ matches: [StoredImage]) -> Self {
        Self(
            Code("image.ambiguous"),
            "\"\(text)\" begins the id of \(matches.count) images",
            hint: "give more digits: " + matches.map(\.id.short).sorted().joined(separator: ", ")
        )
    }

    static func imageInUse(_ image: StoredImage) -> Self {
        Self(
            .imageInUse,
            "image \(image.displayName) is in use by a container",
            hint: "remove the containers first, with `escale down` or `escale container rm`"
        )
    }

    static func imageHasNames(_ image: StoredImage) -> Self {
        Self(
            .imageInUse,
            "image \(image.id.short) has \(image.references.count) names",
            hint: "remove it by name, or by id with --force: "
                + image.references.map(\.familiar).joined(separator: ", ")
        )
    }

    static func wrongArchive(_ path: String, _ kind: String) -> Self {
        Self(
            Code("image.archive-kind"),
            "\(path) is \(kind), not the archive of a root file system",
            hint: "use `escale image load -i \(path)`"
        )
    }

    static func damagedStore(_ path: String, _ reason: String) -> Self {
        Self(
            Code("image.store-damaged"),
            "the image store's \(path) can't be used: \(reason)",
            hint: "move it aside and import or build the images again"
        )
    }

    /// A digest was promised, and another one came.
    package static func wrongDigest(_ what: String, expected: Digest, found: Digest) -> Self {
        Self(
            Code("image.digest"),
            "the \(what) has the digest \(found), not the promised \(expected)",
            hint: "it is damaged or not what it says it is; fetch it again"
        )
    }

    /// - Parameter reason: a sentence's end, such as `it has no layers`.
    package static func badManifest(_ reason: String) -> Self {
        Self(Code("image.manifest"), "the image is not valid: \(reason)", hint: "it was not taken in; make or fetch it again")
    }

    static func archiveBomb(_ name: String, _ plain: Int64, _ compressed: Int64) -> Self {
        Self(
            Code("archive.too-large"),
            "\(name) is too large: \(ByteCount(plain)) came out of \(ByteCount(compressed)) and there is more",
            hint: "it was made to fill the disk; don't use it"
        )
    }

    static func missingLayer(_ layer: Digest) -> Self {
        Self(
            Code("image.layer-missing"),
            "layer \(layer.short) is not in the store",
            hint: "remove the image and build or import it again"
        )
    }
}
