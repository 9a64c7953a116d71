import EscaleCompose
import EscaleCore
import EscalePlan
import Testing

/// Two versions of a service beside each other, and replicas on their way out.
struct VersionTests {
    private func service(_ slots: Set<Int>?, others: [DesiredVersion] = []) -> DesiredProject {
        var web = DesiredService(name: "web", replicas: 2, generation: 2, fingerprint: "new")
        web.slots = slots
        web.others = others
        web.drain = .seconds(10)
        return DesiredProject(goal: .up, requestedAt: after(0), services: [web])
    }

    private func former(_ slots: Set<Int>) -> DesiredVersion {
        DesiredVersion(generation: 1, fingerprint: "old", slots: slots, restart: .always, isChecked: false)
    }

    private func running(_ slot: Int, generation: Int, drainingSince: Timestamp? = nil, isIdle: Bool = false)
        -> ObservedContainer
    {
        ObservedContainer(
            id: ContainerID(rawValue: "\(generation)-\(slot)"),
            replica: ReplicaID(service: "web", slot: slot, generation: generation),
            fingerprint: generation == 1 ? "old" : "new", phase: .running(since: after(1)),
            drainingSince: drainingSince, isIdle: isIdle)
    }

    @Test("a new version's replica is made beside the one that it will replace")
    func beside() {
        let observed = ObservedProject(containers: [running(1, generation: 1), running(2, generation: 1)])
        #expect(planned(service([1], others: [former([1, 2])]), observed) == ["create web-1 (missing)"])
    }

    @Test("a former version's replica that is wanted is made again")
    func back() {
        let observed = ObservedProject(containers: [running(1, generation: 1)])
        #expect(planned(service([], others: [former([1, 2])]), observed) == ["create web-2 (missing)"])
    }

    @Test("what is no longer wanted gets no new traffic before it is stopped, and is stopped when it is idle")
    func drains() {
        let desired = service([1, 2])
        func plan(_ old: ObservedContainer, at now: Timestamp = after(60)) -> [String] {
            planned(desired, ObservedProject(containers: [running(1, generation: 2), running(2, generation: 2), old]), at: now)
        }
        #expect(plan(running(1, generation: 1)) == ["drain web-1 (replaced)"])
        #expect(plan(running(1, generation: 1, drainingSince: after(59))) == [])
        #expect(plan(running(1, generation: 1, drainingSince: after(59), isIdle: true)) == ["stop web-1 (replaced)"])
        #expect(plan(running(1, generation: 1, drainingSince: after(50))) == ["stop web-1 (replaced)"])
    }

    @Test("a version that must not run beside others is not started before they have ended")
    func excludes() {
        var desired = service([1])
        desired.services[0].isExclusive = true
        var made = running(1, generation: 2)
        made.phase = .created
        var former = running(2, generation: 1)
        #expect(planned(desired, ObservedProject(containers: [made, former])) == ["drain web-2 (replaced)"])
        former.phase = .created
        former.isStarting = true
        #expect(planned(desired, ObservedProject(containers: [made, former])) == ["remove web-2 (replaced)"])
        #expect(planned(desired, ObservedProject(containers: [made])) == ["start web-1 (ready)"])
    }

    @Test("a slot has two versions at most: a third one waits until one of them has ended")
    func isNoThird() {
        // A release took over from one that wasn't over: the replica of before drains, and the one of that release has only
        // just been started.
        var desired = service([1])
        desired.services[0].generation = 3
        var made = running(1, generation: 3)
        made.phase = .created
        let former = running(1, generation: 1, drainingSince: after(59))
        var interim = running(1, generation: 2, drainingSince: after(59))
        func plan() -> [String] { planned(desired, ObservedProject(containers: [made, former, interim])) }
        #expect(plan() == [])
        interim.phase = .created
        interim.isStarting = true
        #expect(plan() == ["remove web-1 (replaced)"])
        interim.isStarting = false
        #expect(plan() == ["start web-1 (ready)", "remove web-1 (replaced)"])
    }

    @Test("what ended by itself is no third one either when its policy starts it again") func returnsAsNoThird() {
        var desired = service([1], others: [former([1])])
        desired.services[0].generation = 3
        var ended = running(1, generation: 1)
        ended.phase = .exited(code: 1, at: after(2))
        let new = running(1, generation: 3)
        let interim = running(1, generation: 2, drainingSince: after(59))
        #expect(planned(desired, ObservedProject(containers: [ended, new, interim])) == [])
        #expect(planned(desired, ObservedProject(containers: [ended, new])) == ["start web-1 (ended 1, restart 1)"])
        let elsewhere = running(2, generation: 2, drainingSince: after(59))
        #expect(planned(desired, ObservedProject(containers: [ended, new, elsewhere])) == ["start web-1 (ended 1, restart 1)"])
    }

    @Test("the plan looks again when the drain's time is over")
    func wakes() {
        let observed = ObservedProject(
            containers: [
                running(1, generation: 2), running(2, generation: 2), running(1, generation: 1, drainingSince: after(59)),
            ])
        #expect(plan(desired: service([1, 2]), observed: observed, now: after(60)).wakeAt == after(69))
    }

    @Test("what drains and is wanted after all gets traffic again")
    func undrains() {
        let observed = ObservedProject(
            containers: [running(1, generation: 1, drainingSince: after(50)), running(2, generation: 1)])
        #expect(planned(service([], others: [former([1, 2])]), observed) == ["undrain web-1 (requested)"])
    }

    @Test("a whole project that goes down doesn't drain")
    func down() {
        var desired = service([1, 2])
        desired.goal = .down(removeVolumes: false)
        let observed = ObservedProject(containers: [running(1, generation: 2), running(1, generation: 1)])
        #expect(planned(desired, observed) == ["stop web-1 (going down)", "stop web-1 (going down)"])
    }
}
