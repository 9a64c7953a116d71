/// One replica of one version of a service.
package struct Instance: Codable, Hashable, Sendable, Comparable {
    /// The number of the release that brought the version.
    package let generation: Int
    /// From 1.
    package let slot: Int

    package init(generation: Int, slot: Int) {
        self.generation = generation
        self.slot = slot
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.slot, left.generation) < (right.slot, right.generation)
    }
}

/// Which replicas of a service shall run right now, and how the traffic is split: all that a release ever asks for.
///
/// The planner makes it true, draining what isn't in it; the release decides what comes next from what it sees.
package struct Allocation: Codable, Hashable, Sendable {
    package var instances: Set<Instance>
    /// Percent of new requests and connections for the version that is being released; `nil` for the same to each ready
    /// replica, whatever its version.
    package var newShare: Int?

    package init(_ instances: Set<Instance> = [], newShare: Int? = nil) {
        self.instances = instances
        self.newShare = newShare
    }

    package func slots(of generation: Int) -> Set<Int> {
        Set(instances.filter { $0.generation == generation }.map(\.slot))
    }

    package func contains(_ generation: Int, _ slot: Int) -> Bool {
        instances.contains(Instance(generation: generation, slot: slot))
    }

    mutating func add(_ generation: Int, slots: some Sequence<Int>) {
        for slot in slots { instances.insert(Instance(generation: generation, slot: slot)) }
    }

    mutating func remove(_ isGone: (Instance) -> Bool) { instances = instances.filter { !isGone($0) } }

    static func slots(upTo count: Int) -> [Int] { count > 0 ? Array(1...count) : [] }
}
