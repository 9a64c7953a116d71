import EscaleCore
import EscaleSupervisor
import EscaleTestSupport
import Synchronization
import Testing

/// A machine whose wall clock somebody sets.
private final class Machine: Sendable {
    private let state = Mutex((uptime: Duration.seconds(500), wall: Timestamp(nanoseconds: 1_800_000_000_000_000_000)))

    func wait(_ time: Duration) {
        state.withLock { state in
            state.uptime += time
            state.wall = state.wall + time
        }
    }

    func reboot() { state.withLock { $0.uptime = .seconds(5) } }
    func setClock(by distance: Duration) { state.withLock { $0.wall = $0.wall + distance } }
    var wall: Timestamp { state.withLock { $0.wall } }
    @Sendable func uptime() -> Duration { state.withLock { $0.uptime } }

    func clock(after latest: Timestamp? = nil) -> SteadyClock {
        SteadyClock(after: latest, uptime: uptime, wallClock: { self.wall })
    }

    func clock(beginning: Timestamp) -> SteadyClock {
        SteadyClock(beginning: beginning, uptime: uptime, wallClock: { self.wall })
    }
}

private let day = Duration.seconds(86_400)

@Suite struct SteadyClockTests {
    @Test("as long as nobody sets the wall clock the two agree")
    func agrees() {
        let machine = Machine()
        let clock = machine.clock()
        machine.wait(.seconds(40))
        #expect(clock.now == machine.wall)
        #expect(clock.wall(clock.now) == machine.wall)
    }

    @Test("a duration is what went by, wherever the wall clock was set", arguments: [day, .zero - day, .seconds(1), .seconds(-1)])
    func measures(jump: Duration) {
        let machine = Machine()
        let clock = machine.clock()
        let begun = clock.now
        machine.wait(.seconds(3))
        machine.setClock(by: jump)
        machine.wait(.seconds(4))
        #expect(clock.now - begun == .seconds(7))
    }

    @Test("what is shown is as long ago by the wall clock as it is", arguments: [day, .zero - day])
    func shows(jump: Duration) {
        let machine = Machine()
        let clock = machine.clock()
        let begun = clock.now
        machine.wait(.seconds(3))
        machine.setClock(by: jump)
        #expect(machine.wall - clock.wall(begun) == .seconds(3))
    }

    @Test("what the wall clock showed a moment ago is the moment it was")
    func reads() {
        let machine = Machine()
        let clock = machine.clock()
        machine.setClock(by: day)
        #expect(clock.steady(machine.wall) == clock.now)
    }

    @Test("two readings apart don't make what is shown tremble")
    func standsStill() {
        let machine = Machine()
        let clock = machine.clock()
        let begun = clock.now
        machine.setClock(by: .microseconds(300))
        #expect(clock.wall(begun) == begun)
    }

    @Test("the next daemon of the boot goes on with the same line", arguments: [day, .zero - day])
    func goesOn(jump: Duration) {
        let machine = Machine()
        let clock = machine.clock()
        let begun = clock.now
        machine.setClock(by: jump)
        machine.wait(.seconds(9))
        let next = machine.clock(beginning: clock.beginning)
        #expect(next.now - begun == .seconds(9))
    }

    @Test("after a boot with a clock that went back nothing that was recorded is in the future")
    func neverBehind() {
        let machine = Machine()
        let recorded = machine.clock().now
        machine.reboot()
        machine.setClock(by: .zero - day)
        let clock = machine.clock(after: recorded)
        #expect(clock.now >= recorded)
        machine.wait(.seconds(2))
        #expect(clock.now - recorded == .seconds(2))
    }

    @Test("what a former boot recorded is shown as it was, but never as yet to come")
    func former() {
        let machine = Machine()
        let recorded = machine.clock().now
        machine.wait(day)
        machine.reboot()
        let clock = machine.clock(after: recorded)
        machine.setClock(by: .seconds(3600))
        #expect(clock.wall(recorded) == recorded)
        machine.setClock(by: .zero - day - day)
        #expect(clock.wall(recorded) == machine.wall)
    }
}

@Suite struct ClockRecordTests {
    @Test("daemons of one boot share a line of time")
    func sharesLine() throws {
        let scratch = try ScratchDirectory()
        let first = try StateStore(path: scratch("state.db"), boot: "one").clock
        #expect(try StateStore(path: scratch("state.db"), boot: "one").clock.beginning == first.beginning)
    }

    @Test("another boot begins a line of its own, not before what was written down")
    func anotherBoot() throws {
        let scratch = try ScratchDirectory()
        let first = try StateStore(path: scratch("state.db"), boot: "one").clock
        let last = first.now
        let next = try StateStore(path: scratch("state.db"), boot: "two").clock
        #expect(next.now >= last)
        #expect(try StateStore(path: scratch("state.db"), boot: "two").clock.beginning == next.beginning)
    }

    @Test("where the kernel doesn't name its boots, each daemon begins anew")
    func unnamedBoot() throws {
        let scratch = try ScratchDirectory()
        let last = try StateStore(path: scratch("state.db"), boot: nil).clock.now
        #expect(try StateStore(path: scratch("state.db"), boot: nil).clock.now >= last)
    }
}
