import CEscaleLinux
import EscaleCore
import EscaleSystem
import Glibc

/// What connection tracking knows of one protocol in the calling thread's namespace, for one receiver or all. Blocks.
func trackedFlows<Address: IPAddress>(
    _ transport: Int, _ kind: Address.Type, to receiver: Address? = nil
) throws(EscaleError) -> [c_escale_flow] {
    var flows: UnsafeMutablePointer<c_escale_flow>?
    var count = 0
    let family = UInt8(Address.family.number)
    try check("list tracked connections") {
        guard let receiver else { return c_escale_list_flows(family, UInt8(transport), nil, &flows, &count) }
        var only = c_escale_address(receiver)
        return c_escale_list_flows(family, UInt8(transport), &only, &flows, &count)
    }
    defer { free(flows) }
    return Array(UnsafeBufferPointer(start: flows, count: count))
}

extension IPAddress {
    init(_ address: c_escale_address) { self.init(bytes: withUnsafeBytes(of: address) { Array($0) }) }
}

extension c_escale_address {
    init(_ address: some IPAddress) {
        self.init()
        withUnsafeMutableBytes(of: &self) { $0.copyBytes(from: address.bytes) }
    }
}
