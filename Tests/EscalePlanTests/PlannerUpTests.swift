import EscaleCompose
import EscaleCore
import EscalePlan
import Testing

/// What `up` does about one replica, one cause at a time.
@Suite struct PlannerUpTests {
    @Test func groundIsLaidBeforeContainersAreMade() {
        let desired = up(service("web"), networks: ["front", "back"], volumes: ["data"])
        #expect(
            planned(desired, seen(networks: ["back"])) == [
                "create network front (missing)", "create volume data (missing)",
            ])
        #expect(planned(desired, seen(networks: ["front", "back"], volumes: ["data"])) == ["create web-1 (missing)"])
    }

    @Test func groundThatIsMissingHoldsUpNoContainerThatExists() {
        let desired = up(service("web"), service("db"), networks: ["new"])
        #expect(
            planned(desired, seen(container("web", .created))) == [
                "create network new (missing)", "start web-1 (ready)",
            ])
    }

    @Test func everyReplicaIsCreatedAtOnceAlsoThoseThatWillWait() {
        let desired = up(service("db"), service("web", replicas: 3, after: [Dependency("db", condition: .started)]))
        #expect(
            planned(desired, seen()) == [
                "create db-1 (missing)", "create web-1 (missing)", "create web-2 (missing)", "create web-3 (missing)",
            ])
    }

    @Test func aCreatedContainerStarts() {
        #expect(planned(up(service("web")), seen(container("web", .created))) == ["start web-1 (ready)"])
    }

    @Test func whatRunsAsDesiredIsLeftAlone() {
        let desired = up(service("web", replicas: 2), networks: ["n"], volumes: ["v"])
        let observed = seen(
            container("web", 1, .up), container("web", 2, .up), networks: ["n", "other"], volumes: ["v", "other"])
        #expect(plan(desired: desired, observed: observed, now: after(60)) == Plan())
    }

    @Test func anUnhealthyContainerIsLeftAlone() {
        let desired = up(service("web", restart: .always, checked: true))
        #expect(planned(desired, seen(container("web", .up, health: .unhealthy))) == [])
    }

    @Test func noReplicasMeanNoContainers() {
        #expect(planned(up(service("web", replicas: 0)), seen()) == [])
        #expect(
            planned(up(service("web", replicas: 0)), seen(container("web", .up), container("web", 2, .ended(0)))) == [
                "stop web-1 (surplus)", "remove web-2 (surplus)",
            ])
    }

    // MARK: Changes

    @Test func aChangedContainerIsStoppedThenRemovedThenMadeAnew() {
        let desired = up(service("web"))
        #expect(planned(desired, seen(container("web", .up, fingerprint: "0"))) == ["stop web-1 (changed)"])
        #expect(planned(desired, seen(container("web", .ended(143), fingerprint: "0"))) == ["remove web-1 (changed)"])
        #expect(planned(desired, seen(container("web", .created, fingerprint: "0"))) == ["remove web-1 (changed)"])
        #expect(planned(desired, seen()) == ["create web-1 (missing)"])
    }

    @Test func theOldOneServesUntilTheNewOneMayStart() {
        let desired = up(
            service("db", checked: true), service("web", after: [Dependency("db", condition: .healthy)]))
        let old = container("web", .up, fingerprint: "0")
        #expect(
            planned(desired, seen(container("db", .up, health: .starting), old)) == [
                "web-1 waits for db to be healthy"
            ])
        #expect(
            planned(desired, seen(container("db", .up, health: .healthy), old)) == ["stop web-1 (changed)"])
        // A stopped one serves nobody.
        #expect(
            planned(
                desired,
                seen(container("db", .up, health: .starting), container("web", .ended(0), fingerprint: "0"))) == [
                "remove web-1 (changed)"
            ])
    }

    @Test func aChangedDependencyIsNotThereYet() {
        let desired = up(service("db"), service("web", after: [Dependency("db", condition: .started)]))
        #expect(
            planned(desired, seen(container("db", .up, fingerprint: "0"), container("web", .created))) == [
                "stop db-1 (changed)", "web-1 waits for db to start",
            ])
    }

    // MARK: Too many

    @Test func surplusSlotsGo() {
        let desired = up(service("web", replicas: 1))
        let observed = seen(container("web", 1, .up), container("web", 2, .up), container("web", 3, .created))
        #expect(planned(desired, observed) == ["stop web-2 (surplus)", "remove web-3 (surplus)"])
    }

    @Test func orphansGoOnlyIfAsked() {
        let observed = seen(container("web", .up), container("old", .up), container("older", .ended(1)))
        #expect(planned(up(service("web")), observed) == [])
        #expect(
            planned(up(service("web"), removeOrphans: true), observed) == [
                "stop old-1 (orphan)", "remove older-1 (orphan)",
            ])
    }

    @Test func whatNoActiveProfileHasIsNoOrphan() {
        var desired = up(service("web"), removeOrphans: true)
        desired.leftOut = ["debug"]
        let observed = seen(container("web", .up), container("debug", .up), container("old", .up))
        #expect(planned(desired, observed) == ["stop old-1 (orphan)"])
    }

    @Test func whatSomebodyElseRunsGoesAndIsNotWaitedFor() {
        let waiting = service("web", after: [Dependency("db", condition: .healthy), Dependency("cache")])
        var desired = up(waiting)
        desired.elsewhere = ["db", "cache"]
        let observed = seen(container("web", .created), container("db", .up), container("old", .up))
        #expect(planned(desired, observed) == ["start web-1 (ready)", "stop db-1 (elsewhere)"])
        desired.elsewhere = ["cache"]
        #expect(planned(desired, observed) == ["web-1 waits for db to be healthy"])
    }

    @Test func ofTwoContainersForOneReplicaTheRightOneStays() {
        let desired = up(service("web"))
        let wrong = container("web", .up, fingerprint: "0")
        #expect(planned(desired, seen(wrong, container("web", .up, twin: true))) == ["stop web-1 (surplus)"])
        let stop = plan(desired: desired, observed: seen(wrong, container("web", .up, twin: true)), now: after(60))
        #expect(stop.steps.first?.action == .stop(wrong.id, wrong.replica))
        // One thing at a time: nothing starts beside it.
        #expect(planned(desired, seen(wrong, container("web", .created, twin: true))) == ["stop web-1 (surplus)"])
    }

    @Test func oneReplicaHasOneStepHoweverManyContainers() {
        let crowd = (0..<4).map { index in
            ObservedContainer(
                id: ContainerID(rawValue: "c\(index)"), replica: ReplicaID(service: "web", slot: 1),
                fingerprint: "1", phase: .up)
        }
        let observed = ObservedProject(containers: crowd)
        for desired in [up(service("web")), up(removeOrphans: true), up().with(.down(removeVolumes: false))] {
            let steps = plan(desired: desired, observed: observed, now: after(60)).steps
            #expect(steps.count == 1)
        }
    }

    // MARK: Asked again

    @Test func whatEndedBeforeTheRequestStartsWhateverItsPolicy() {
        for policy: RestartPolicy in [.no, .always, .unlessStopped, .onFailure(retries: 1)] {
            let desired = up(service("job", restart: policy))
            #expect(
                planned(desired, seen(container("job", .ended(0, after: -1), failures: 9))) == [
                    "start job-1 (requested)"
                ])
        }
    }

    @Test func whatAStepStoppedStartsWhenItIsWantedAgain() {
        // `up` while a `stop` was still under way: the container ended after the request, and not by itself.
        let observed = seen(container("web", .ended(143), wasStopped: true))
        #expect(planned(up(service("web")), observed) == ["start web-1 (requested)"])
        #expect(planned(up(service("web")).with(.stopped), observed) == [])
    }

    @Test func aOneShotServiceIsDoneOnce() {
        #expect(planned(up(service("job")), seen(container("job", .ended(0)))) == [])
        #expect(planned(up(service("job")), seen(container("job", .ended(0, after: 0)))) == [])
        #expect(planned(up(service("job")), seen(container("job", .ended(0, after: -0.001)))) == ["start job-1 (requested)"])
    }
}
