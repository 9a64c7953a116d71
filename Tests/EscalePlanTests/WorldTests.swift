import EscaleCompose
import EscaleCore
import EscalePlan
import EscaleTestSupport
import Testing

/// The planner in random worlds. A failure names the seed: `World(seed:)` repeats it.
@Suite struct WorldTests {
    /// Runs so many worlds and reports the first that breaks a rule.
    private func worlds(_ range: Range<UInt64>, _ body: (inout World) throws -> Void) {
        for seed in range {
            var world = World(seed: seed)
            do {
                try body(&world)
            } catch {
                Issue.record("seed \(seed): \(error)\n\(world.desired)")
                return
            }
        }
    }

    /// Faults, late steps, failed steps and changed minds.
    private func havoc(_ world: inout World) throws {
        for _ in 0..<Int.random(in: 2...12, using: &world.random) {
            try world.begin(percent: 60)
            try world.finish(percent: 50, failing: 15)
            if world.random.chance(60) { world.fault() }
        }
    }

    @Test func withoutFaultsEverythingComesUpAndRests() {
        worlds(0..<600) { world in
            try world.converge()
            try world.checkRest()
        }
    }

    @Test func afterAnyFaultsEverythingComesUpWhenAsked() {
        worlds(10_000..<10_700) { world in
            try havoc(&world)
            world.ask(.up)
            try world.converge()
            try world.checkRest()
        }
    }

    @Test func afterAnyFaultsEverythingStopsAndStaysStopped() {
        worlds(20_000..<20_700) { world in
            try havoc(&world)
            world.ask(.stopped)
            try world.converge()
            try world.checkRest()
        }
    }

    @Test func afterAnyFaultsNothingIsLeftOfIt() {
        worlds(30_000..<30_700) { world in
            try havoc(&world)
            world.ask(.down(removeVolumes: world.random.chance(50)))
            try world.converge()
            try world.checkRest()
        }
    }

    @Test func whatEndsByItselfIsStartedAgainByItsPolicy() {
        worlds(40_000..<40_300) { world in
            for index in world.desired.services.indices { world.desired.services[index].restart = .always }
            world.desired.services.removeAll { service in
                service.dependencies.contains { $0.condition == .completed } || !service.isChecked
            }
            for index in world.desired.services.indices { world.desired.services[index].dependencies = [] }
            try world.converge()
            for _ in 0..<5 { world.fault(onlyEnds: true) }
            try world.converge()
            try world.checkRest()
        }
    }

    @Test func thePlanIsTheSameForTheSameWorld() {
        worlds(50_000..<50_200) { world in
            try havoc(&world)
            let first = plan(desired: world.desired, observed: world.observed, now: world.now)
            let second = plan(desired: world.desired, observed: world.observed, now: world.now)
            guard first == second else { throw Broken(description: "two plans") }
        }
    }
}
