/// A file system, or a part of one, that is mounted for one container alone, out of the host's sight.
package struct PreparedMount: Codable, Hashable, Sendable {
    package enum Source: Codable, Hashable, Sendable {
        /// A directory of the host.
        case directory(String)
        /// The files of an image, by its layers as overlayfs wants them.
        case layers([String])
        case fileSystem(FileSystem)
        /// A directory of the host that stays one with it: what is mounted below either is seen below both.
        case shared(String)
        /// A directory or file of the host without what is mounted below it.
        case flat(String)
        /// What a process sees mounted at the path.
        case ofProcess(Int32, path: String)
    }

    /// As in mount(8).
    package struct FileSystem: Codable, Hashable, Sendable {
        package var type: String
        package var device: String
        /// Words, separated by commas where it is mounted.
        package var options: [String]

        package init(type: String, device: String, options: [String]) {
            self.type = type
            self.device = device
            self.options = options
        }
    }

    package var source: Source
    /// Of the source; `nil` for all of it.
    package var subpath: String?
    /// What the file calls it, for errors: `the volume data`.
    package var title: String

    package init(_ source: Source, subpath: String? = nil, title: String) {
        self.source = source
        self.subpath = subpath
        self.title = title
    }
}

extension ContainerSpec {
    /// How far mounts go between a container and the host.
    package enum Propagation: String, Sendable {
        case own = "rprivate"
        /// What the host mounts later is seen.
        case received = "rslave"
        /// What either mounts is seen by both.
        case both = "shared"
    }

    /// What the bind mounts ask for, taken together.
    package var propagation: Propagation {
        let words = Set(mounts.flatMap { $0.options ?? [] })
        if !words.isDisjoint(with: ["shared", "rshared"]) { return .both }
        return words.isDisjoint(with: ["slave", "rslave"]) ? .own : .received
    }
}
