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
            hint: "build it, or bring it in with `escale image import` or `escale image bootstrap`; "
                + "pulling from registries is not there yet"
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
            "\(path) is \(kind), and only archives of a root file system can be imported yet",
            hint: "export a container's file system instead: `docker export CONTAINER > rootfs.tar`"
        )
    }

    static func damagedStore(_ path: String, _ reason: String) -> Self {
        Self(
            Code("image.store-damaged"),
            "the image store's \(path) can't be used: \(reason)",
            hint: "move it aside and import or build the images again"
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
