import CEscaleLinux
package import EscaleCore
import Glibc

/// TCP connections that the kernel's connection tracking knows: how busy a replica still is that gets no new ones.
package enum TCPConnections {
    /// How many there are in the calling thread's namespace that may still carry something, by who really receives
    /// them, whatever address was asked for. Receivers without any are left out.
    ///
    /// Blocks: 4 µs for each entry, 0.2 s for 50,000 (measured), most of it the kernel's.
    ///
    /// Counted are those from the first packet on until both sides are done and know it. One side's "I am done" is
    /// not enough: the other may still be answering. A connection whose last packets are on their way is counted as
    /// well, for they may have to be sent again. Not counted are those that are only remembered, so that late packets
    /// find no other receiver, and those that were reset.
    ///
    /// A peer that vanished without a word is counted for as long as the kernel waits for it, which may be days: who
    /// waits for zero needs a limit of his own.
    /// - Parameter senders: connections that these addresses opened are not counted: a gateway keeps some to its
    ///   servers open, busy or not, and knows itself which are.
    package static func counts<Address: IPAddress>(
        of kind: Address.Type, leavingOutFrom senders: Set<Address> = []
    ) throws(EscaleError) -> [Address: Int] {
        var counts: [Address: Int] = [:]
        for flow in try trackedFlows(IPPROTO_TCP, kind) where isCounted(flow, senders) {
            counts[Address(flow.reply_source), default: 0] += 1
        }
        return counts
    }

    /// The same for one receiver. Blocks.
    ///
    /// The kernel then tells of few entries: 0.05 s where it has 50,000, so that up to four of these are quicker than
    /// ``counts(of:leavingOutFrom:)``. Kernels before 5.8 tell of all.
    package static func count<Address: IPAddress>(
        to receiver: Address, leavingOutFrom senders: Set<Address> = []
    ) throws(EscaleError) -> Int {
        try trackedFlows(IPPROTO_TCP, Address.self, to: receiver).count { isCounted($0, senders) }
    }

    private static func isCounted<Address: IPAddress>(_ flow: c_escale_flow, _ senders: Set<Address>) -> Bool {
        State(rawValue: flow.tcp_state)?.isLive == true && !senders.contains(Address(flow.source))
    }

    /// The kernel's `enum tcp_conntrack`. As it sees the packets of both sides, so the names are of either.
    private enum State: UInt8 {
        case none, synSent, synReceived, established, finWait, closeWait, lastAck, timeWait, close, simultaneousOpen

        var isLive: Bool {
            switch self {
            case .synSent, .synReceived, .established, .finWait, .closeWait, .lastAck, .simultaneousOpen: true
            case .none, .timeWait, .close: false
            }
        }
    }
}
