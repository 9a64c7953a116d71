import EscaleCompose
import EscaleCore

extension PortMapping {
    /// The one address of the host; `nil` for all of them.
    var ownAddress: String? { hostAddress == "0.0.0.0" ? nil : hostAddress }

    /// Whether it takes the same connections of the host.
    func isPublished(like other: PortMapping) -> Bool {
        hostPort == other.hostPort && transport == other.transport && ownAddress == other.ownAddress
    }

    /// Whether both can't lead to different containers.
    func collides(with other: PortMapping) -> Bool {
        hostPort == other.hostPort && transport == other.transport
            && (ownAddress == nil || other.ownAddress == nil || ownAddress == other.ownAddress)
    }
}

extension EscaleError {
    static func portsTaken(
        _ range: ClosedRange<UInt16>, _ transport: PortMapping.Transport, service: ServiceName
    ) -> Self {
        Self(
            .init("port.range-taken"),
            "service \(service): none of the ports \(range.lowerBound)-\(range.upperBound)/\(transport.rawValue) is free",
            hint: "publish a wider range, or run fewer replicas")
    }

    static func portAddressMissing(_ address: String, service: ServiceName) -> Self {
        Self(
            .init("port.address"), "service \(service): a port is to be published at \(address), which is no address of this host",
            hint: "choose one of those that `ip address` shows; 127.0.0.1 is for this host alone, no address means all of them")
    }
}
