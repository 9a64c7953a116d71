// Allocation without state: whoever keeps the books says what is taken.

/// The lowest assignable address of the subnet that isn't taken; `nil` where all are.
///
/// - Parameter skipping: how many of the subnet's lowest assignable addresses are never given out.
package func firstFree<Address: IPAddress>(
    in subnet: IPSubnet<Address>, excluding taken: Set<Address>, skipping: Address.Number = 0
) -> Address? {
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
package func lastFree<Address: IPAddress>(in subnet: IPSubnet<Address>, excluding taken: Set<Address>) -> Address? {
    let range = subnet.assignable
    var next = range.upperBound
    while taken.contains(next) {
        guard next > range.lowerBound else { return nil }
        next = next.advanced(by: ~0)
    }
    return next
}

/// The lowest block of that size within the pool that overlaps nothing taken; `nil` where there is none.
package func firstFreeSubnet<Address: IPAddress>(
    ofLength prefixLength: Int, in pool: IPSubnet<Address>, excluding taken: some Collection<IPSubnet<Address>>
) -> IPSubnet<Address>? {
    guard (pool.prefixLength...Address.Number.bitWidth).contains(prefixLength) else { return nil }
    var next = IPSubnet(containing: pool.address, prefixLength: prefixLength)
    while true {
        guard let blocker = taken.filter({ $0.overlaps(next) }).max(by: { $0.lastAddress < $1.lastAddress }) else {
            return next
        }
        let last = max(blocker.lastAddress, next.lastAddress)
        guard last < pool.lastAddress else { return nil }
        next = IPSubnet(containing: last.advanced(by: 1), prefixLength: prefixLength)
    }
}
