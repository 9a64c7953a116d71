/// Where a service's image may come from and what it is made for.
package struct ImageSettings: Codable, Hashable, Sendable {
    /// When an image is fetched anew.
    package enum PullPolicy: Codable, Hashable, Sendable {
        case always, never, missing, build, refresh, daily, weekly
        case every(Duration)
    }

    package var pullPolicy: PullPolicy?
    package var refreshAfter: Duration?
    /// Such as `linux/arm64`.
    package var platform: String?

    package init() {}
}

/// Where a container's output goes.
package struct LoggingSettings: Codable, Hashable, Sendable {
    package var driver: String?
    package var options: [String: String] = [:]

    package init() {}
}

/// A program that brings up a service in Compose's place.
package struct ServiceProvider: Codable, Hashable, Sendable {
    package var type: String
    package var options: [String: [String]] = [:]

    package init(type: String) { self.type = type }
}

/// A model as a service uses it.
package struct ModelUse: Codable, Hashable, Sendable {
    /// Its key in the file.
    package var model: String
    /// Names of the variables that tell the service about it.
    package var endpointVariable: String?
    package var modelVariable: String?

    package init(model: String) { self.model = model }
}

/// A language model of the project.
package struct LanguageModel: Codable, Hashable, Sendable {
    package var key: String
    /// `project_key`, or as given.
    package var name: String
    package var model: String
    /// In tokens.
    package var contextSize: Int?
    package var runtimeFlags: [String] = []

    package init(key: String, name: String, model: String) {
        self.key = key
        self.name = name
        self.model = model
    }
}
