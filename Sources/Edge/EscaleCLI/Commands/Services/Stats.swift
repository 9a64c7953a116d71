import EscaleAPI
import EscaleClient
import EscaleCore
import EscaleSystem

/// `escale stats`
enum Stats: CLICommand {
    struct Options: CommandOptions {
        var all = false
        var once = false
        var format = ListFormat.table
    }

    /// One container's use between two samples, as it is printed.
    struct Row: Codable, Hashable, Sendable {
        var container: String
        var id: ContainerID
        var service: ServiceName
        /// Of one core, in percent.
        var cpuPercent: Double
        var memory: ByteCount
        var memoryLimit: ByteCount
        var memoryPercent: Double
        var received: ByteCount
        var sent: ByteCount
        var read: ByteCount
        var written: ByteCount
        var processes: Int

        init(_ sample: ContainerSample, since earlier: ContainerSample?) {
            container = sample.container.name
            id = sample.container.id
            service = sample.service
            let time = earlier.map { sample.at - $0.at } ?? .zero
            let used = earlier.map { sample.cpu - $0.cpu } ?? .zero
            cpuPercent = time > .zero && used > .zero ? (used / time * 10000).rounded() / 100 : 0
            memory = sample.memory
            memoryLimit = sample.memoryLimit
            let share = Double(sample.memory.rawValue) / Double(max(1, sample.memoryLimit.rawValue))
            memoryPercent = (share * 10000).rounded() / 100
            received = sample.received
            sent = sample.sent
            read = sample.read
            written = sample.written
            processes = sample.processes
        }
    }

    static let path = ["stats"]
    static let summary = "Show live what containers use of the machine"
    static let details: String? = """
        100 % is one core. Memory is without what the kernel could drop at once. Off a terminal, or with --no-stream, it \
        prints one sample of a second.
        """
    static let operands = Operands.services
    static let flags: [Flag<Options>] = [
        .toggle("no-stream", nil, \.once, "Print one sample and end"),
        .toggle("all", "a", \.all, "Show the containers of all projects"),
        .choice("format", \.format, "How to print"),
    ]
    static let fields = [
        JSONField("container", "container name"), JSONField("id", "container ID"), JSONField("service", "service name"),
        JSONField("cpuPercent", "processor time of the last second; 100 is one core"),
        JSONField("memory", "bytes, without what the kernel could drop at once"),
        JSONField("memoryLimit", "bytes; the host's memory without a limit"),
        JSONField("memoryPercent", "of the limit"), JSONField("received", "bytes over the network"),
        JSONField("sent", "bytes over the network"), JSONField("read", "bytes from disks"),
        JSONField("written", "bytes to disks"), JSONField("processes", "processes and threads"),
    ]

    static func run(_ options: Options, _ operands: [String], in session: Session) async throws -> Int32 {
        let client = try session.client()
        let target = options.all ? nil : try session.target()
        let services = try target?.services(operands) ?? []
        func sample() async throws -> [ContainerSample] {
            try await client.samples(of: target?.name).filter { services.isEmpty || services.contains($0.service) }
        }
        let isLive = !options.once && options.format == .table && session.console.output.isTerminal
        var earlier = try await sample()
        var canvas = TerminalCanvas()
        repeat {
            try await Task.sleep(for: .seconds(1))
            let now = try await sample()
            let rows = now.map { sample in Row(sample, since: earlier.first { $0.container == sample.container }) }
            earlier = now
            guard isLive else {
                try session.printList(rows, options.format) { table($0) }
                return 0
            }
            let lines = table(rows).rendered().split(separator: "\n").map { DisplayWidth.fit(String($0), session.console.size.columns) }
            session.console.write(canvas.replace(with: lines, width: session.console.size.columns))
        } while true
    }

    static func table(_ rows: [Row]) -> Table {
        var table = Table("NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "PIDS")
        for row in rows {
            table.add(
                row.container, "\(row.cpuPercent)%", "\(row.memory) / \(row.memoryLimit)", "\(row.memoryPercent)%",
                "\(row.received) / \(row.sent)", "\(row.read) / \(row.written)", "\(row.processes)")
        }
        return table
    }
}
