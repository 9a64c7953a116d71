/// The devices that a service's containers can use besides the standard ones.
package struct ServiceDevices: Codable, Hashable, Sendable {
    package var mappings: [DeviceMapping] = []
    /// Rules of the control group, such as `c 1:3 mr`.
    package var cgroupRules: [String] = []
    package var gpus: [DeviceRequest] = []

    package init() {}
}

/// A device of the host in a container.
package struct DeviceMapping: Codable, Hashable, Sendable {
    /// On the host: absolute, or the name of a CDI device.
    package var source: String
    /// In the container.
    package var target: String
    /// Some of `rwm`: read, write, make.
    package var permissions: String

    package init(source: String, target: String, permissions: String = "rwm") {
        self.source = source
        self.target = target
        self.permissions = permissions
    }
}

/// Devices described by what they can do.
package struct DeviceRequest: Codable, Hashable, Sendable {
    package enum Count: Codable, Hashable, Sendable {
        case all
        case number(Int)
    }

    package var capabilities: [String] = []
    package var driver: String?
    package var count: Count?
    package var ids: [String] = []
    package var options: [String: String] = [:]

    package init() {}
}
