import CNetlink
package import EscaleCore

/// A connection to the kernel's links, addresses and routes in one network namespace: that of the thread that made it.
///
/// Every call blocks for some microseconds and returns when the kernel has done it. Not for two threads at a time.
package struct RouteSocket: ~Copyable {
    let handle: OpaquePointer

    package init() throws(EscaleError) {
        guard let handle = nl_socket_alloc() else { throw outOfMemory() }
        let result = nl_connect(handle, NETLINK_ROUTE)
        guard result == 0 else {
            nl_socket_free(handle)
            throw netlinkError(result, "talk to the kernel about networks")
        }
        self.handle = handle
    }

    deinit { nl_socket_free(handle) }
}

/// Throws where libnl returned a negative code. `action` reads like "add the route …".
@discardableResult
func checkNetlink(_ result: Int32, _ action: @autoclosure () -> String) throws(EscaleError) -> Int32 {
    guard result < 0 else { return result }
    throw netlinkError(result, action())
}

private func netlinkError(_ result: Int32, _ action: String) -> EscaleError {
    let text = nl_geterror(result).map { String(cString: $0) } ?? "error \(result)"
    switch -result {
    case Int32(NLE_PERM):
        return EscaleError(.init("network.not-permitted"), "can't \(action): \(text)", hint: "run as root")
    case Int32(NLE_EXIST):
        return EscaleError(.init("network.exists"), "can't \(action): \(text)")
    case Int32(NLE_OBJ_NOTFOUND), Int32(NLE_NODEV):
        return EscaleError(.init("network.not-found"), "can't \(action): \(text)")
    default:
        return EscaleError(.init("network.kernel-refused"), "can't \(action): \(text)")
    }
}

func outOfMemory() -> EscaleError { EscaleError(.init("system.failed"), "out of memory") }

/// Owns a libnl address for as long as the body runs.
func withAddress(
    _ family: Int32, _ bytes: [UInt8], prefixLength: Int? = nil,
    _ body: (OpaquePointer) throws(EscaleError) -> Void
) throws(EscaleError) {
    guard let address = bytes.withUnsafeBytes({ nl_addr_build(family, $0.baseAddress, $0.count) }) else {
        throw outOfMemory()
    }
    defer { nl_addr_put(address) }
    if let prefixLength { nl_addr_set_prefixlen(address, Int32(prefixLength)) }
    try body(address)
}

func withAddress<Address: IPAddress>(
    _ subnet: IPSubnet<Address>, _ body: (OpaquePointer) throws(EscaleError) -> Void
) throws(EscaleError) {
    try withAddress(Address.family.number, subnet.address.bytes, prefixLength: subnet.prefixLength, body)
}
