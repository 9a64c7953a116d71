/// The `config` part of an image's configuration: what a container of it runs, unless told otherwise.
package struct ImageDefaults: Hashable, Codable, Sendable {
    package var user: String?
    /// Such as `80/tcp`. Keys of objects in the file.
    package var exposedPorts: Set<String> = []
    /// `NAME=value`, in the order they were set.
    package var environment: [String] = []
    package var entrypoint: [String]?
    package var command: [String]?
    /// Absolute paths. Keys of objects in the file.
    package var volumes: Set<String> = []
    package var workingDirectory: String?
    package var labels: [String: String] = [:]
    package var stopSignal: String?
    package var healthcheck: ImageHealthcheck?
    /// What runs the shell form of commands, where it isn't `/bin/sh -c`.
    package var shell: [String]?
    package var onBuild: [String]?

    package init() {}

    /// The value of an environment variable.
    package func environmentValue(_ name: String) -> String? {
        environment.last { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
    }

    /// The variables by name; the last of several counts.
    package var environmentByName: [String: String] {
        var values: [String: String] = [:]
        for variable in environment {
            let parts = variable.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            values[String(parts[0])] = parts.count > 1 ? String(parts[1]) : ""
        }
        return values
    }

    /// Sets a variable in its place, or adds it at the end.
    package mutating func setEnvironment(_ name: String, _ value: String) {
        let line = "\(name)=\(value)"
        if let index = environment.firstIndex(where: { $0.hasPrefix(name + "=") }) {
            environment[index] = line
        } else {
            environment.append(line)
        }
    }

    private enum CodingKeys: String, CodingKey {
        case user = "User"
        case exposedPorts = "ExposedPorts"
        case environment = "Env"
        case entrypoint = "Entrypoint"
        case command = "Cmd"
        case volumes = "Volumes"
        case workingDirectory = "WorkingDir"
        case labels = "Labels"
        case stopSignal = "StopSignal"
        case healthcheck = "Healthcheck"
        case shell = "Shell"
        case onBuild = "OnBuild"
    }

    private struct Nothing: Codable {}

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func keys(_ key: CodingKeys) throws -> Set<String> {
            Set(try values.decodeIfPresent([String: Nothing].self, forKey: key)?.keys.map { $0 } ?? [])
        }
        user = try values.decodeIfPresent(String.self, forKey: .user).flatMap { $0.isEmpty ? nil : $0 }
        exposedPorts = try keys(.exposedPorts)
        environment = try values.decodeIfPresent([String].self, forKey: .environment) ?? []
        entrypoint = try values.decodeIfPresent([String].self, forKey: .entrypoint)
        command = try values.decodeIfPresent([String].self, forKey: .command)
        volumes = try keys(.volumes)
        workingDirectory = try values.decodeIfPresent(String.self, forKey: .workingDirectory)
            .flatMap { $0.isEmpty ? nil : $0 }
        labels = try values.decodeIfPresent([String: String].self, forKey: .labels) ?? [:]
        stopSignal = try values.decodeIfPresent(String.self, forKey: .stopSignal)
        healthcheck = try values.decodeIfPresent(ImageHealthcheck.self, forKey: .healthcheck)
        shell = try values.decodeIfPresent([String].self, forKey: .shell)
        onBuild = try values.decodeIfPresent([String].self, forKey: .onBuild)
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        func set(_ names: Set<String>, _ key: CodingKeys) throws {
            guard !names.isEmpty else { return }
            try values.encode(Dictionary(uniqueKeysWithValues: names.map { ($0, Nothing()) }), forKey: key)
        }
        try values.encodeIfPresent(user, forKey: .user)
        try set(exposedPorts, .exposedPorts)
        if !environment.isEmpty { try values.encode(environment, forKey: .environment) }
        try values.encodeIfPresent(entrypoint, forKey: .entrypoint)
        try values.encodeIfPresent(command, forKey: .command)
        try set(volumes, .volumes)
        try values.encodeIfPresent(workingDirectory, forKey: .workingDirectory)
        if !labels.isEmpty { try values.encode(labels, forKey: .labels) }
        try values.encodeIfPresent(stopSignal, forKey: .stopSignal)
        try values.encodeIfPresent(healthcheck, forKey: .healthcheck)
        try values.encodeIfPresent(shell, forKey: .shell)
        try values.encodeIfPresent(onBuild, forKey: .onBuild)
    }
}
