import EscaleCore

/// A record that is stored and can't be read. It stays where it is until its project is given up, and is kept as a file then.
struct UnreadableRecord: Hashable, Sendable {
    /// The tables.
    enum Kind: String, Sendable {
        case project, network, release, container

        /// The column that, with the project, finds a row.
        var key: String {
            switch self {
            case .project, .network: "name"
            case .release: "number"
            case .container: "id"
            }
        }
    }

    let kind: Kind
    let project: ProjectName
    /// A name, a number or an identifier.
    let name: String
    let reason: String
}

/// Records of one kind, as far as they can be read.
struct StoredRecords<Record: Sendable>: Sendable {
    var records: [Record] = []
    var unreadable: [UnreadableRecord] = []

    /// All of them, for what would go wrong without one.
    ///
    /// - Throws: `state.unreadable`.
    func complete() throws(EscaleError) -> [Record] {
        if let first = unreadable.first { throw .recordUnreadable(first, others: unreadable.count - 1) }
        return records
    }
}

/// All that is stored of a project but its volumes.
struct StoredProject: Sendable {
    var record: ProjectRecord?
    var networks: [NetworkRecord] = []
    var containers: [ContainerRecord] = []
    /// Oldest first.
    var releases: [ReleaseRecord] = []
    var unreadable: [UnreadableRecord] = []

    /// What the project can't be taken up without: all but releases that are over, to which it merely can't go back.
    var missed: [UnreadableRecord] {
        unreadable.filter { $0.kind != .release || $0.name == record.map { "\($0.release)" } }
    }
}

extension EscaleError {
    static func recordUnreadable(_ record: UnreadableRecord, others: Int = 0) -> Self {
        let more = others == 0 ? "" : others == 1 ? ", and another one" : ", and \(others) others"
        return Self(
            .init("state.unreadable"), "the record of \(record.kind.rawValue) \(record.name) can't be read (\(record.reason))\(more)",
            hint: "put it back from a copy of the daemon's state, or give the project up: `escale -p \(record.project) down` "
                + "removes what is left of it and keeps the record as a file")
    }

    /// What is wrong with a record, in a few words.
    static func reason(unreadable error: any Error) -> String {
        guard let error = error as? DecodingError else { return EscaleError(wrapping: error).message }
        let context =
            switch error {
            case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
                .dataCorrupted(let context): context
            @unknown default: DecodingError.Context(codingPath: [], debugDescription: "\(error)")
            }
        let path = context.codingPath.map(\.stringValue).joined(separator: ".")
        return path.isEmpty ? context.debugDescription : "\(path): \(context.debugDescription)"
    }
}
