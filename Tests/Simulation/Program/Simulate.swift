import CVirtualClock
import EscaleCore
import EscaleTestSupport
import Glibc

// The daemon's own supervisor on a simulated machine, with a made-up clock: random projects, commands and faults, and the
// daemon killed between any two of its writes and calls. Prints the seed of a schedule that breaks a rule, and its story.
//
// usage: escale-simulate [--schedules N] [--seed N]    N schedules from a seed on; a failure ends with 1
//        escale-simulate --seed N --show               the story of one
@main
struct Simulate {
    static func main() {
        do {
            let options = try Options(Array(CommandLine.arguments.dropFirst()))
            if getenv("SWIFT_DETERMINISTIC_HASHING") == nil {
                // The order of sets and dictionaries has to be the seed's, too.
                setenv("SWIFT_DETERMINISTIC_HASHING", "1", 1)
                execv("/proc/self/exe", CommandLine.unsafeArgv)
                throw Broken(description: "can't begin anew")
            }
            exit(try options.isBatch ? batch(options) : parent(options))
        } catch {
            say("escale-simulate: \(error)")
            exit(2)
        }
    }

    /// Schedules run in processes of their own by the hundred: a killed daemon's memory is never freed.
    private static let batchSize: UInt64 = 250

    private static func parent(_ options: Options) throws -> Int32 {
        say("escale-simulate: \(options.schedules) schedules from seed \(options.seed)")
        var failures = 0
        var index: UInt64 = 0
        while index < options.schedules {
            let count = min(batchSize, options.schedules - index)
            let words = ["--batch", "--seed", "\(options.seed + index)", "--schedules", "\(count)"] + (options.shows ? ["--show"] : [])
            let status = try run(words)
            if status != 0 { failures += 1 }
            if failures >= options.patience { break }
            index += count
        }
        say(failures == 0 ? "escale-simulate: every schedule came to rest" : "escale-simulate: rules were broken, see above")
        return failures == 0 ? 0 : 1
    }

    private static func run(_ words: [String]) throws -> Int32 {
        var arguments: [UnsafeMutablePointer<CChar>?] = (["escale-simulate"] + words).map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        guard posix_spawn(&pid, "/proc/self/exe", nil, nil, arguments, environ) == 0 else {
            throw Broken(description: "can't begin a batch")
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        return status
    }

    private static func batch(_ options: Options) throws -> Int32 {
        end_with_parent()
        // A killed daemon's files stay open.
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        VirtualTime.shared.takeOver()
        VirtualTime.shared.reset(seed: 0)
        let ground = try Ground(isVerbose: options.shows)
        defer { ground.remove() }
        try ground.prepare()
        var failures: Int32 = 0
        for seed in options.seed..<options.seed + options.schedules {
            let schedule = try Schedule(seed: seed, ground: ground)
            do {
                try schedule.run()
            } catch {
                failures += 1
                say("seed \(seed): \(error)")
                if !options.shows { say(schedule.host.history.suffix(60).joined(separator: "\n")) }
            }
            if options.isVerbose { say("seed \(seed): \(VirtualTime.shared.steps) steps, \(schedule.commands) commands, \(schedule.deaths) deaths") }
            if options.shows { say(schedule.host.history.joined(separator: "\n")) }
        }
        return failures == 0 ? 0 : 1
    }

    static func say(_ text: String) {
        print(text)
        fflush(nil)
    }
}

/// What the command line asks for.
struct Options {
    var schedules: UInt64 = 1
    var seed: UInt64 = 1
    var shows = false
    var isBatch = false
    var isVerbose = false
    /// After so many batches with failures it ends.
    var patience = 1

    init(_ words: [String]) throws {
        var rest = words[...]
        func number(_ flag: String) throws -> UInt64 {
            guard let number = rest.popFirst().flatMap({ UInt64($0) }) else { throw Broken(description: "\(flag) needs a number") }
            return number
        }
        while let word = rest.popFirst() {
            switch word {
            case "--schedules": schedules = try number(word)
            case "--seed": seed = try number(word)
            case "--patience": patience = Int(try number(word))
            case "--show": shows = true
            case "--verbose": isVerbose = true
            case "--batch": isBatch = true
            default: throw Broken(description: "\(word) is no option: --schedules N, --seed N, --patience N, --show")
            }
        }
    }
}
