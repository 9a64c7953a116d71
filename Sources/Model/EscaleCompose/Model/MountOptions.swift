/// What a mount has besides its source, its target and whether it can be written.
package struct MountOptions: Codable, Hashable, Sendable {
    package enum Propagation: String, Codable, CaseIterable, Sendable {
        case `private`, rprivate, shared, rshared, slave, rslave
    }

    package enum Recursion: String, Codable, CaseIterable, Sendable {
        case enabled, disabled, writable, readonly
    }

    /// `z` for content that containers share, `Z` for content of one.
    package enum Relabelling: String, Codable, CaseIterable, Sendable {
        case shared = "z"
        case own = "Z"
    }

    package var consistency: String?
    package var propagation: Propagation?
    package var recursion: Recursion?
    package var relabelling: Relabelling?
    package var labels: [String: String]?
    /// Whether an empty volume stays empty.
    package var keepsEmpty: Bool?
    /// A directory of the volume or image, instead of the whole.
    package var subpath: String?
    /// Of a tmpfs: words of mount(8) such as `exec` or `uid=1000`.
    package var words: [String]?

    package init() {}
}
