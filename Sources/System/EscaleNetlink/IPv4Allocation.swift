// Allocation without state: whoever keeps the books says what is taken.

/// The lowest assignable address of the subnet that isn't taken; `nil` where all are.
///
/// - Parameter skipping: how many of the subnet's lowest assignable addresses are never given out.
package func firstFree(
    in subnet: IPv4Subnet, excluding taken: Set<IPv4Address>, skipping: UInt32 = 0
) -> IPv4Address? {
    let range = subnet.assignable
    guard range.upperBound.rawValue - range.lowerBound.rawValue >= skipping else { return nil }
    var next = range.lowerBound.advanced(by: skipping)
    while taken.contains(next) {
        guard next < range.upperBound else { return nil }
        next = next.advanced(by: 1)
    }
    return next
}

/// The highest assignable address of the subnet that isn't taken; `nil` where all are.
package func lastFree(in subnet: IPv4Subnet, excluding taken: Set<IPv4Address>) -> IPv4Address? {
    let range = subnet.assignable
    var next = range.upperBound
    while taken.contains(next) {
        guard next > range.lowerBound else { return nil }
        next = next.advanced(by: ~0)
    }
    return next
}

/// The lowest block of that size within the pool that overlaps nothing taken; `nil` where there is none.
package func firstFreeSubnet(
    ofLength prefixLength: Int, in pool: IPv4Subnet, excluding taken: some Collection<IPv4Subnet>
) -> IPv4Subnet? {
    guard (pool.prefixLength...32).contains(prefixLength) else { return nil }
    var next = IPv4Subnet(containing: pool.address, prefixLength: prefixLength)
    while true {
        guard let blocker = taken.filter({ $0.overlaps(next) }).max(by: { $0.lastAddress < $1.lastAddress }) else {
            return next
        }
        let last = max(blocker.lastAddress, next.lastAddress)
        guard last < pool.lastAddress else { return nil }
        next = IPv4Subnet(containing: last.advanced(by: 1), prefixLength: prefixLength)
    }
}
