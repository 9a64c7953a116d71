package import EscaleCore

/// What a service's `logging` asks for, read from its driver and options.
package struct LogPolicy: Hashable, Sendable {
    /// The drivers that Escale has, by Docker's names.
    package enum Driver: String, CaseIterable, Sendable {
        case jsonFile = "json-file"
        case local, journald, syslog, none

        /// Docker's that Escale doesn't have.
        static let foreign: Set<String> = ["awslogs", "etwlogs", "fluentd", "gcplogs", "gelf", "logentries", "splunk"]

        /// Whether the output also goes to somebody else, so that the files are only a copy.
        var forwards: Bool { self == .journald || self == .syslog }

        /// What the names of its options for files begin with.
        var fileOptionPrefix: String { forwards ? "cache-" : "" }

        /// The options that mean something here.
        var options: Set<String> {
            switch self {
            case .jsonFile, .local: ["max-size", "max-file"]
            case .journald: ["cache-max-size", "cache-max-file"]
            case .syslog: ["cache-max-size", "cache-max-file", "syslog-address", "syslog-facility", "syslog-format"]
            case .none: []
            }
        }

        /// Docker's options that change nothing here, with what is so instead.
        static let idle: [String: String] = [
            "tag": "the output is known by the container's name",
            "labels": "records carry no labels", "labels-regex": "records carry no labels",
            "env": "records carry no variables", "env-regex": "records carry no variables",
            "compress": "the files are not compressed", "cache-compress": "the files are not compressed",
            "cache-disabled": "`escale logs` reads the copy that is kept",
            "mode": "a container never waits for a server", "max-buffer-size": "a container never waits for a server",
        ]
    }

    package var driver = Driver.jsonFile
    /// When a file is full and the next one is begun; `nil` for never.
    package var fileSize: ByteCount?
    /// How many files are kept, the one being written among them.
    package var fileCount: Int
    package var syslogAddress = SyslogAddress.local
    package var syslogFacility = SyslogFacility.daemon
    /// `nil` for the one of the host's own programs.
    package var syslogFormat: SyslogFormat?

    /// Where the file says nothing: 3 files of 100 MiB.
    package static let standard = LogPolicy(driver: .jsonFile)

    /// The driver's own defaults.
    package init(driver: Driver) {
        self.driver = driver
        // As with Docker, but for json-file, which has no bound there.
        (fileSize, fileCount) = driver == .jsonFile ? (ByteCount(100 << 20), 3) : (ByteCount(20 << 20), 5)
    }

    /// What validated settings ask for; what can't be read in them counts as not said.
    package init(_ settings: LoggingSettings?) {
        self.init(driver: settings?.driver.flatMap(Driver.init(rawValue:)) ?? .jsonFile)
        for (name, text) in settings?.options ?? [:] { _ = take(name, text) }
        // Docker's json-file keeps one file where only a size is given.
        if driver == .jsonFile, let options = settings?.options, options["max-size"] != nil, options["max-file"] == nil {
            fileCount = 1
        }
    }

    /// Takes an option over.
    ///
    /// - Returns: what the value must be, where it isn't.
    mutating func take(_ name: String, _ text: String) -> String? {
        switch name {
        case "max-size", "cache-max-size":
            if text == "-1" {
                fileSize = nil
            } else if let size = ByteCount(compose: text), size.rawValue > 0 {
                fileSize = size
            } else {
                return "a size such as 10m, or -1 for no limit"
            }
        case "max-file", "cache-max-file":
            guard let count = Int(text), (1...1000).contains(count) else { return "a number from 1 to 1000" }
            fileCount = count
        case "syslog-address":
            guard let address = SyslogAddress(text) else {
                return "an address such as udp://192.168.0.42:514, tcp://192.168.0.42:514 or unix:///dev/log"
            }
            syslogAddress = address
        case "syslog-facility":
            guard let facility = SyslogFacility(text) else { return "a facility such as daemon or local0" }
            syslogFacility = facility
        case "syslog-format":
            guard let format = SyslogFormat(rawValue: text) else {
                return "one of " + SyslogFormat.allCases.map(\.rawValue).joined(separator: ", ")
            }
            syslogFormat = format
        default: break
        }
        return nil
    }
}
