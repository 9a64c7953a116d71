import CNetlink
package import EscaleCore
import EscaleSystem
import Glibc

/// One end of a veth pair.
package struct LinkEnd: Sendable {
    package let name: String
    package let mac: MACAddress

    package init(name: String, mac: MACAddress) {
        self.name = name
        self.mac = mac
    }
}

/// The number of an interface within its namespace.
package struct LinkIndex: RawRepresentable, Hashable, Sendable {
    package let rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }

    /// `lo`, which is the first in every namespace.
    package static let loopback = LinkIndex(rawValue: 1)

    /// The interface with that name in the calling thread's namespace; `nil` where there is none.
    package init?(named name: String) {
        let index = if_nametoindex(name)
        guard index != 0 else { return nil }
        rawValue = Int32(index)
    }
}

extension RouteSocket {
    /// Makes a pair, both ends down, one here and the other in the given namespace. It vanishes with that namespace.
    ///
    /// - Throws: `network.exists` where either name is taken.
    package func createPair(
        _ near: LinkEnd, _ far: LinkEnd, in namespace: NetworkNamespace, mtu: Int
    ) throws(EscaleError) {
        guard let link = rtnl_link_veth_alloc() else { throw outOfMemory() }
        defer { rtnl_link_put(link) }
        guard let peer = rtnl_link_veth_get_peer(link) else { throw outOfMemory() }
        defer { rtnl_link_put(peer) }
        for (end, object) in [(near, link), (far, peer)] {
            rtnl_link_set_name(object, end.name)
            rtnl_link_set_mtu(object, UInt32(mtu))
            try withAddress(AF_LLC, end.mac.bytes) { (address) throws(EscaleError) in
                rtnl_link_set_addr(object, address)
            }
        }
        rtnl_link_set_ns_fd(peer, namespace.descriptor.number)
        try checkNetlink(
            rtnl_link_add(handle, link, NLM_F_CREATE | NLM_F_EXCL), "make the interfaces \(near.name) and \(far.name)")
    }

    package func setUp(_ index: LinkIndex) throws(EscaleError) {
        guard let original = rtnl_link_alloc() else { throw outOfMemory() }
        defer { rtnl_link_put(original) }
        guard let changed = rtnl_link_alloc() else { throw outOfMemory() }
        defer { rtnl_link_put(changed) }
        rtnl_link_set_ifindex(original, index.rawValue)
        rtnl_link_set_flags(changed, UInt32(IFF_UP))
        try checkNetlink(rtnl_link_change(handle, original, changed, 0), "set interface \(index.rawValue) up")
    }

    /// Removes an interface, and with a veth its other end; `false` where there is none of that name.
    @discardableResult
    package func removeLink(named name: String) throws(EscaleError) -> Bool {
        guard let index = LinkIndex(named: name), let link = rtnl_link_alloc() else { return false }
        defer { rtnl_link_put(link) }
        rtnl_link_set_ifindex(link, index.rawValue)
        let result = rtnl_link_delete(handle, link)
        if result == -Int32(NLE_OBJ_NOTFOUND) || result == -Int32(NLE_NODEV) { return false }
        try checkNetlink(result, "remove the interface \(name)")
        return true
    }

    /// The largest packet that the interface takes.
    package func mtu(of name: String) throws(EscaleError) -> Int {
        var link: OpaquePointer?
        try checkNetlink(rtnl_link_get_kernel(handle, 0, name, &link), "look at the interface \(name)")
        defer { rtnl_link_put(link) }
        return Int(rtnl_link_get_mtu(link))
    }
}
