import EscaleAPI
import EscaleCompose
package import EscaleCore
import EscalePlan
import EscaleStore
import EscaleSystem
import FoundationEssentials
import Synchronization

/// The daemon's memory: projects, networks, volumes, containers, the journal of steps, and events, in SQLite.
///
/// Records are JSON in a column of their own: they are read whole and looked up by key only.
package struct StateStore: Sendable {
    /// What every recorded moment is read from.
    package let clock: SteadyClock
    private let database: Database
    private let beforeWriting: @Sendable () throws -> Void
    /// What the file says that no recorded moment is after.
    private let latest = Latest()

    private static let schema = [
        """
        CREATE TABLE project (name TEXT PRIMARY KEY, record TEXT NOT NULL);
        CREATE TABLE network (name TEXT PRIMARY KEY, project TEXT NOT NULL, record TEXT NOT NULL);
        CREATE TABLE volume (name TEXT PRIMARY KEY, project TEXT NOT NULL);
        CREATE TABLE container (id TEXT PRIMARY KEY, project TEXT NOT NULL, record TEXT NOT NULL);
        CREATE TABLE journal (
            id INTEGER PRIMARY KEY, project TEXT NOT NULL, at TEXT NOT NULL, step TEXT NOT NULL,
            outcome TEXT, finished TEXT);
        CREATE INDEX journal_project ON journal (project, id);
        CREATE TABLE event (id INTEGER PRIMARY KEY, project TEXT NOT NULL, at TEXT NOT NULL, record TEXT NOT NULL);
        CREATE INDEX event_project ON event (project, id);
        """,
        """
        CREATE TABLE release (
            project TEXT NOT NULL, number INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (project, number));
        """,
        "CREATE TABLE clock (boot TEXT NOT NULL, beginning TEXT NOT NULL, latest TEXT NOT NULL);",
    ]

    /// Opens the store and brings an older one up to date. Blocks.
    ///
    /// - Parameters:
    ///   - boot: tells the machine's runs apart.
    ///   - beforeWriting: called before every change, which it may refuse.
    package init(
        path: String, boot: String? = Uptime.boot, beforeWriting: @escaping @Sendable () throws -> Void = {}
    ) throws(EscaleError) {
        self.beforeWriting = beforeWriting
        database = try Database(path: path)
        try database.migrate(Self.schema)
        clock = try Self.clock(database, boot ?? "")
    }

    /// The clock of the daemons before this one in this boot, or one that begins after all that former boots recorded.
    private static func clock(_ database: Database, _ boot: String) throws(EscaleError) -> SteadyClock {
        let former = try database.query("SELECT boot, beginning, latest FROM clock").first
        if let former, !boot.isEmpty, try former.text("boot") == boot, let beginning = Timestamp(try former.text("beginning")) {
            return SteadyClock(beginning: beginning)
        }
        let clock = SteadyClock(after: try former.map { row throws(EscaleError) in try row.text("latest") }.flatMap { Timestamp($0) })
        try database.execute("DELETE FROM clock")
        try database.execute(
            "INSERT INTO clock (boot, beginning, latest) VALUES (?, ?, ?)", boot, clock.beginning.description,
            clock.now.description)
        return clock
    }

    private var writable: Database {
        get throws {
            try beforeWriting()
            try latest.cover(clock.now) { try database.execute("UPDATE clock SET latest = ?", $0.description) }
            return database
        }
    }

    // MARK: Projects

    func projectNames() throws -> Set<ProjectName> {
        Set(try database.query("SELECT name FROM project").map { ProjectName(rawValue: try $0.text("name")) })
    }

    /// All that there is of a project.
    func stored(_ project: ProjectName) throws -> StoredProject {
        let name = project.rawValue
        let records: StoredRecords<ProjectRecord> = try read(
            .project, of: project, database.query("SELECT record, name FROM project WHERE name = ?", name))
        let networks: StoredRecords<NetworkRecord> = try read(
            .network, of: project, database.query("SELECT record, name FROM network WHERE project = ? ORDER BY name", name))
        let containers: StoredRecords<ContainerRecord> = try read(
            .container, of: project,
            database.query("SELECT record, id AS name FROM container WHERE project = ? ORDER BY id", name))
        let releases: StoredRecords<ReleaseRecord> = try read(
            .release, of: project,
            database.query(
                "SELECT record, CAST(number AS TEXT) AS name FROM release WHERE project = ? ORDER BY number", name))
        return StoredProject(
            record: records.records.first, networks: networks.records, containers: containers.records,
            releases: releases.records,
            unreadable: records.unreadable + networks.unreadable + containers.unreadable + releases.unreadable)
    }

    /// Keeps a record that can't be read as a file beside the database, and removes it from there.
    func setAside(_ record: UnreadableRecord, at now: Timestamp) throws {
        let table = record.kind.rawValue
        let owner = record.kind == .project ? "name" : "project"
        let place = "FROM \(table) WHERE \(owner) = ? AND \(record.kind.key) = ?"
        let rows = try database.query("SELECT CAST(record AS BLOB) AS record \(place)", record.project.rawValue, record.name)
        let directory = "\(database.path).unreadable"
        for row in rows {
            try Files.createDirectories(directory, mode: 0o700)
            let name = "\(record.project)-\(table)-\(record.name)-\(now)".replacing("/", with: "_")
            // It may hold secrets.
            try Files.replace("\(directory)/\(name)", try row.blob("record"), mode: 0o600, sync: true)
        }
        try writable.execute("DELETE \(place)", record.project.rawValue, record.name)
    }

    func save(_ project: ProjectRecord) throws {
        try writable.execute(
            "INSERT OR REPLACE INTO project (name, record) VALUES (?, ?)", project.project.name.rawValue,
            try encode(project))
    }

    // MARK: Releases

    /// Keeps releases and, in the same transaction, what the project is from now on.
    func save(_ releases: [ReleaseRecord], _ project: ProjectRecord) throws {
        let name = project.project.name.rawValue
        let projectJSON = try encode(project)
        let releases = try releases.map { (number: $0.number, json: try encode($0)) }
        try writable.transaction { connection in
            try connection.execute("INSERT OR REPLACE INTO project (name, record) VALUES (?, ?)", name, projectJSON)
            for release in releases {
                try connection.execute(
                    "INSERT OR REPLACE INTO release (project, number, record) VALUES (?, ?, ?)",
                    name, release.number, release.json)
            }
        }
        CrashPoint.reached()
    }

    /// Keeps how far a release is.
    func save(_ release: ReleaseRecord, of project: ProjectName) throws {
        try writable.execute(
            "INSERT OR REPLACE INTO release (project, number, record) VALUES (?, ?, ?)", project.rawValue,
            release.number, try encode(release))
        CrashPoint.reached()
    }

    /// Those of every project.
    func releases() throws -> StoredRecords<ReleaseRecord> {
        try read(.release, database.query("SELECT record, CAST(number AS TEXT) AS name, project FROM release"))
    }

    func removeRelease(_ number: Int, of project: ProjectName) throws {
        try writable.execute("DELETE FROM release WHERE project = ? AND number = ?", project.rawValue, number)
    }

    /// Forgets the project, its networks, containers, releases and journal; its volumes and events stay.
    func forget(_ project: ProjectName) throws {
        for record in try stored(project).unreadable { try setAside(record, at: .now) }
        for table in ["network", "container", "release", "journal"] {
            try writable.execute("DELETE FROM \(table) WHERE project = ?", project.rawValue)
        }
        try writable.execute("DELETE FROM project WHERE name = ?", project.rawValue)
    }

    // MARK: Networks and volumes

    func networks() throws -> StoredRecords<NetworkRecord> {
        try read(.network, database.query("SELECT record, name, project FROM network ORDER BY name"))
    }

    func save(_ network: NetworkRecord) throws {
        try writable.execute(
            "INSERT OR REPLACE INTO network (name, project, record) VALUES (?, ?, ?)", network.name.rawValue,
            network.project.rawValue, try encode(network))
    }

    func remove(_ network: NetworkName) throws {
        try writable.execute("DELETE FROM network WHERE name = ?", network.rawValue)
    }

    func volumes() throws -> [(name: VolumeName, project: ProjectName)] {
        try database.query("SELECT name, project FROM volume ORDER BY name").map {
            (VolumeName(rawValue: try $0.text("name")), ProjectName(rawValue: try $0.text("project")))
        }
    }

    func save(_ volume: VolumeName, of project: ProjectName) throws {
        try writable.execute(
            "INSERT OR IGNORE INTO volume (name, project) VALUES (?, ?)", volume.rawValue, project.rawValue)
    }

    func remove(_ volume: VolumeName) throws {
        try writable.execute("DELETE FROM volume WHERE name = ?", volume.rawValue)
    }

    // MARK: Containers

    func containers() throws -> StoredRecords<ContainerRecord> {
        try read(.container, database.query("SELECT record, id AS name, project FROM container ORDER BY id"))
    }

    func containerIDs() throws -> Set<ContainerID> {
        Set(try database.query("SELECT id FROM container").map { ContainerID(rawValue: try $0.text("id")) })
    }

    func save(_ container: ContainerRecord) throws {
        try writable.execute(
            "INSERT OR REPLACE INTO container (id, project, record) VALUES (?, ?, ?)", container.id.rawValue,
            container.project.rawValue, try encode(container))
    }

    func remove(_ container: ContainerID) throws {
        try writable.execute("DELETE FROM container WHERE id = ?", container.rawValue)
    }

    // MARK: Journal and events

    /// Writes down what is about to be done; returns the entry's number.
    func begin(_ step: Step, of project: ProjectName, at now: Timestamp) throws -> Int64 {
        let json = try encode(step)
        defer { CrashPoint.reached() }
        return try writable.query(
            "INSERT INTO journal (project, at, step) VALUES (?, ?, ?) RETURNING id", project.rawValue,
            now.description, json
        ).first?.int64("id") ?? 0
    }

    /// Writes down how it went.
    func finish(_ entry: Int64, outcome: String, at now: Timestamp) throws {
        try writable.execute(
            "UPDATE journal SET outcome = ?, finished = ? WHERE id = ?", outcome, now.description, entry)
        CrashPoint.reached()
    }

    /// Closes what a killed daemon left open, and keeps the journal and the events at a bounded length.
    func tidy(at now: Timestamp) throws {
        try writable.execute(
            "UPDATE journal SET outcome = 'interrupted', finished = ? WHERE outcome IS NULL", now.description)
        try writable.execute("DELETE FROM journal WHERE id < (SELECT max(id) FROM journal) - 10000")
        try writable.execute("DELETE FROM event WHERE id < (SELECT max(id) FROM event) - 10000")
    }

    func append(_ event: Event) throws {
        try writable.execute(
            "INSERT INTO event (project, at, record) VALUES (?, ?, ?)", event.project.rawValue,
            event.at.description, try encode(event))
    }

    func events(of project: ProjectName) throws -> [Event] {
        // One that can't be read keeps nobody from the others.
        try database.query("SELECT record FROM event WHERE project = ? ORDER BY id", project.rawValue)
            .compactMap { try? decode($0) }
    }

    // MARK: JSON

    private func encode(_ value: some Encodable) throws -> String {
        String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
    }

    private func read<Record: Decodable & Sendable>(
        _ kind: UnreadableRecord.Kind, _ rows: [Row]
    ) throws -> StoredRecords<Record> {
        try rows.reduce(into: StoredRecords()) { found, row in
            let one: StoredRecords<Record> = try read(kind, of: ProjectName(rawValue: row.text("project")), [row])
            found.records += one.records
            found.unreadable += one.unreadable
        }
    }

    private func read<Record: Decodable & Sendable>(
        _ kind: UnreadableRecord.Kind, of project: ProjectName, _ rows: [Row]
    ) throws -> StoredRecords<Record> {
        var found = StoredRecords<Record>()
        for row in rows {
            do { found.records.append(try decode(row)) } catch {
                found.unreadable.append(
                    UnreadableRecord(
                        kind: kind, project: project, name: try row.text("name"),
                        reason: EscaleError.reason(unreadable: error)))
            }
        }
        return found
    }

    private func decode<Value: Decodable>(_ row: Row) throws -> Value {
        try JSONDecoder().decode(Value.self, from: Data(try row.text("record").utf8))
    }
}

/// How far the clock has been written down: ahead by a second, so that it is written once a second at most.
private final class Latest: Sendable {
    private let written = Mutex(Timestamp(nanoseconds: .min))

    func cover(_ now: Timestamp, by write: (Timestamp) throws -> Void) rethrows {
        try written.withLock { written in
            guard now > written else { return }
            try write(now + .seconds(1))
            written = now + .seconds(1)
        }
    }
}
