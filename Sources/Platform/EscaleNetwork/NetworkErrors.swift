import EscaleCore
import EscaleNetlink

extension EscaleError {
    static func dnsmasqMissing() -> Self {
        EscaleError(
            .init("network.tool-missing"), "the program dnsmasq, which answers containers' name look-ups, isn't installed",
            hint: "run `apt-get install dnsmasq-base`")
    }

    static func resolverFailed(_ address: IPv4Address, _ output: String) -> Self {
        EscaleError(
            .init("network.resolver"), "the resolver on \(address) doesn't start",
            hint: "stop what else uses \(address), or free up what the output names",
            details: [.init("dnsmasq", output)])
    }

    static func resolversExhausted(_ block: IPv4Subnet) -> Self {
        EscaleError(
            .init("network.addresses-exhausted"), "all resolver addresses in \(block) are taken",
            hint: "remove networks that are no longer used")
    }

    static func slotsExhausted(_ details: [Detail]) -> Self {
        EscaleError(
            .init("network.addresses-exhausted"), "no block of addresses is free for this instance",
            hint: "stop other instances or remove routes that cover all of 10.210.0.0 to 10.249.255.255",
            details: details)
    }

    static func unknownNetwork(_ name: NetworkName, _ container: ContainerID) -> Self {
        EscaleError(
            .init("network.not-found"), "container \(container.short) is to join the network \(name), which doesn't exist")
    }

    static func noAddress(_ container: ContainerID) -> Self {
        EscaleError(.invalidInput, "container \(container.short) is to be attached without an address")
    }
}
