import CEscaleLinux
import EscaleCore
import EscaleSystem
import Glibc

/// What connection tracking knows of one protocol in the calling thread's namespace, for one receiver or all. Blocks.
func trackedFlows(_ transport: Int, to receiver: IPv4Address? = nil) throws(EscaleError) -> [c_escale_flow] {
    var flows: UnsafeMutablePointer<c_escale_flow>?
    var count = 0
    let only = receiver?.rawValue ?? 0
    try check("list tracked connections") { c_escale_list_flows(UInt8(transport), only, &flows, &count) }
    defer { free(flows) }
    return Array(UnsafeBufferPointer(start: flows, count: count))
}
