import EscaleCore
import EscaleNetlink
import EscaleSystem
import FoundationEssentials
import Glibc

/// The register of the instances on this host: which root directory has which block of addresses and which names.
///
/// Every call locks the register, works, and unlocks. All block.
package struct InstanceSlots: Sendable {
    private struct Register: Codable {
        /// Slot number to root directory.
        var roots: [Int: String] = [:]
    }

    private static let count = 40
    private let directory: String

    /// - Parameter directory: shared by all instances that are to know of one another.
    package init(directory: String = "/run/escale-slots") { self.directory = directory }

    /// The instance of that root directory: the one it has, the one it had (a register lasts until a reboot), or a
    /// free one whose addresses nobody else on the host uses. The first is the main one, with the empty id.
    ///
    /// - Throws: `network.addresses-exhausted` where there is no free one, saying what is in the way.
    package func claim(root: String, preferring former: NetworkInstance? = nil) throws -> NetworkInstance {
        try withRegister { register in
            if let slot = register.roots.first(where: { $0.value == root })?.key { return try Self.instance(slot) }
            let foreign = try Self.foreignBlocks()
            let all = try (0..<Self.count).map { (slot: $0, instance: try Self.instance($0)) }
            let ordered = all.filter { $0.instance == former } + all.filter { $0.instance != former }
            var obstacles: [EscaleError.Detail] = []
            for (slot, instance) in ordered {
                if let owner = register.roots[slot], Files.isDirectory(owner) {
                    obstacles.append(.init("\(instance.pool)", "belongs to the instance in \(owner)"))
                } else if let foreign = foreign.first(where: { $0.subnet.overlaps(instance.pool) }) {
                    obstacles.append(.init("\(instance.pool)", "\(foreign.subnet) is in use on \(foreign.link)"))
                } else {
                    register.roots[slot] = root
                    return instance
                }
            }
            throw EscaleError.slotsExhausted(obstacles)
        }
    }

    /// Gives the root's slot back; a root without one is no error.
    package func release(root: String) throws {
        try withRegister { register in register.roots = register.roots.filter { $0.value != root } }
    }

    private static func instance(_ slot: Int) throws(EscaleError) -> NetworkInstance {
        try NetworkInstance(
            id: slot == 0 ? "" : String(slot, radix: 36),
            pool: IPv4Subnet(containing: IPv4Address(10, UInt8(210 + slot), 0, 0), prefixLength: 16))
    }

    /// Blocks that others on this host use. What is on `lo` and on `esc…` interfaces is some Escale's own.
    private static func foreignBlocks() throws(EscaleError) -> [HostAddresses.Block<IPv4Address>] {
        try HostAddresses.blocks().filter { $0.link != "lo" && !$0.link.hasPrefix("esc") }
    }

    private func withRegister<Value>(_ body: (inout Register) throws -> Value) throws -> Value {
        try Files.createDirectories(directory)
        let lock = try FileDescriptor("\(directory)/lock", O_RDWR | O_CREAT)
        try check("lock \(directory)") { flock(lock.number, LOCK_EX) }
        defer { withExtendedLifetime(lock) {} }
        let path = "\(directory)/register.json"
        var register = Register()
        if Files.exists(path) {
            do {
                register = try JSONDecoder().decode(Register.self, from: Data(try Files.read(path)))
            } catch {
                throw EscaleError(
                    .init("network.register"), "the register of instances in \(path) can't be read: \(error)",
                    hint: "repair it; with no instance running it may be removed")
            }
        }
        let before = register.roots
        let value = try body(&register)
        if register.roots != before { try Files.replace(path, try JSONEncoder().encode(register)) }
        return value
    }
}
