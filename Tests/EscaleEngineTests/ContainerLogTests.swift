import EscaleCore
import EscaleEngine
import EscaleSystem
import EscaleTestSupport
import Glibc
import Testing

/// Reading the log that conmon writes.
@Suite struct ContainerLogTests {
    /// A log under construction.
    private final class LogFile {
        let directory = "/tmp/escale-log-\(hexadecimal(UInt64.random(in: 0 ... .max)))"
        var path: String { "\(directory)/log" }
        private var file: FileDescriptor?

        // Best effort: the file is under /tmp.
        deinit { try? Files.remove(directory) }

        func write(_ bytes: some Collection<UInt8>) throws {
            try Files.createDirectories(directory)
            let file = try self.file ?? FileDescriptor(path, O_WRONLY | O_CREAT | O_APPEND)
            self.file = file
            try file.write(bytes)
        }

        /// Renames the file, which is written on until ``reopen()``.
        func rename(to number: Int) { Glibc.rename(path, "\(path).\(number)") }
        func reopen() throws {
            try Files.createDirectories(directory)
            file = try FileDescriptor(path, O_WRONLY | O_CREAT | O_APPEND)
        }

        func write(_ text: String) throws { try write(Array(text.utf8)) }
    }

    private let time = "2026-11-20T23:57:54.842481283+00:00"

    private func records(_ lines: (String, String)...) -> String {
        lines.map { "\(time) \($0.0) \($0.1)\n" }.joined()
    }

    private func texts(_ lines: [ContainerLogLine]) -> [String] {
        lines.map { "\($0.stream.rawValue): \(String(decoding: $0.text, as: UTF8.self))" }
    }

    /// All that there is to read.
    private func rest(_ reader: inout ContainerLogReader) throws -> [String] {
        var lines: [String] = []
        while case let more = try reader.next(), !more.isEmpty { lines += texts(more) }
        return lines
    }

    // MARK: Lines

    @Test func aMissingFileHasNoLines() throws {
        var reader = ContainerLogReader(directory: "/nowhere/at-all")
        try reader.skip(toLast: 10)
        #expect(try reader.next() == [])
        try ContainerLogReader.seal(directory: "/nowhere/at-all", at: .now)
        #expect(!Files.exists("/nowhere/at-all"))
    }

    @Test func linesComeWithTheirTimeAndStream() throws {
        let log = LogFile()
        try log.write(records(("stdout", "F one"), ("stderr", "F two  with  spaces "), ("stdout", "F ")))
        var reader = ContainerLogReader(directory: log.directory)
        let lines = try reader.next()
        #expect(texts(lines) == ["stdout: one", "stderr: two  with  spaces ", "stdout: "])
        #expect(lines.first?.at.description == "2026-11-20T23:57:54.842481283Z")
        #expect(try reader.next() == [])
        try log.write(records(("stdout", "F more")))
        #expect(try texts(reader.next()) == ["stdout: more"])
    }

    @Test func aLineThatGoesOnIsOneLine() throws {
        let log = LogFile()
        try log.write(records(("stdout", "P a "), ("stderr", "P x"), ("stdout", "P b"), ("stderr", "F y"), ("stdout", "F  c")))
        var reader = ContainerLogReader(directory: log.directory)
        #expect(try texts(reader.next()) == ["stderr: xy", "stdout: a b c"])
    }

    @Test func whatGoesOnIsWaitedFor() throws {
        let log = LogFile()
        var reader = ContainerLogReader(directory: log.directory)
        try log.write(records(("stdout", "P begun, ")))
        #expect(try reader.next() == [])
        try log.write("\(time) stdout F and")
        #expect(try reader.next() == [])
        try log.write(" ended\n\(time) std")
        #expect(try texts(reader.next()) == ["stdout: begun, and ended"])
        try log.write("err F x\n")
        #expect(try texts(reader.next()) == ["stderr: x"])
    }

    @Test func whatIsNoRecordIsPassedOver() throws {
        let log = LogFile()
        try log.write("\n \nnonsense\n\(time)\n\(time) stdin F x\nyesterday stdout F x\n" + records(("stdout", "F good")))
        var reader = ContainerLogReader(directory: log.directory)
        #expect(try texts(reader.next()) == ["stdout: good"])
        var tail = ContainerLogReader(directory: log.directory)
        try tail.skip(toLast: 3)
        #expect(try texts(tail.next()) == ["stdout: good"])
    }

    @Test func bytesComeAsTheyAre() throws {
        let log = LogFile()
        let bytes = (0...255).map(UInt8.init).filter { $0 != 10 }
        try log.write(Array("\(time) stdout F ".utf8) + bytes + [10])
        var reader = ContainerLogReader(directory: log.directory)
        #expect(try reader.next().map(\.text) == [bytes])
    }

    @Test func aTagWithMoreToItIsRead() throws {
        let log = LogFile()
        try log.write(records(("stdout", "P:more a"), ("stdout", "F:tags b")))
        var reader = ContainerLogReader(directory: log.directory)
        #expect(try texts(reader.next()) == ["stdout: ab"])
    }

    @Test func aLineWithoutEndComesInPieces() throws {
        let log = LogFile()
        let piece = String(repeating: "x", count: 8000)
        let parts = (0..<1200).map { _ in "\(time) stdout P \(piece)\n" }.joined()
        try log.write(parts + records(("stdout", "F end")))
        var reader = ContainerLogReader(directory: log.directory)
        var lines: [ContainerLogLine] = []
        while case let more = try reader.next(), !more.isEmpty { lines += more }
        #expect(lines.map(\.text.count) == [4_200_000, 4_200_000, 1_200_003])
    }

    @Test func aSmallReadingStillGetsALine() throws {
        let log = LogFile()
        try log.write(records(("stdout", "P one "), ("stdout", "P two "), ("stdout", "F three")))
        var reader = ContainerLogReader(directory: log.directory)
        #expect(try texts(reader.next(limit: 10)) == ["stdout: one two three"])
    }

    // MARK: The last lines

    @Test(arguments: [0, 1, 2, 3, 100]) func theLastLinesAreThoseOfTheWhole(count: Int) throws {
        let log = LogFile()
        try log.write(records(("stdout", "F a"), ("stderr", "F b"), ("stdout", "F c")))
        var reader = ContainerLogReader(directory: log.directory)
        try reader.skip(toLast: count)
        #expect(try texts(reader.next()) == ["stdout: a", "stderr: b", "stdout: c"].suffix(count))
        try log.write(records(("stdout", "F later")))
        #expect(try texts(reader.next()) == ["stdout: later"])
    }

    @Test func aLineOfManyPartsCountsOnce() throws {
        let log = LogFile()
        try log.write(
            records(("stdout", "F a"), ("stdout", "P b"), ("stderr", "F x"), ("stdout", "P c"), ("stdout", "F d")))
        for (count, expected) in [(1, ["stdout: bcd"]), (2, ["stderr: x", "stdout: bcd"])] {
            var reader = ContainerLogReader(directory: log.directory)
            try reader.skip(toLast: count)
            #expect(try texts(reader.next()) == expected)
        }
    }

    @Test func aHalfWrittenLineIsStillToCome() throws {
        let log = LogFile()
        try log.write(records(("stdout", "F a"), ("stdout", "F b")) + "\(time) stdout F c")
        for count in 0...2 {
            var reader = ContainerLogReader(directory: log.directory)
            try reader.skip(toLast: count)
            #expect(try texts(reader.next()) == ["stdout: a", "stdout: b"].suffix(count))
        }
        var reader = ContainerLogReader(directory: log.directory)
        try reader.skip(toLast: 0)
        try log.write("d\n")
        #expect(try texts(reader.next()) == ["stdout: cd"])
    }

    @Test func linesAreFoundAcrossBlocks() throws {
        let log = LogFile()
        // Records of 1,061 bytes: 64 KiB blocks end in the middle of one.
        let text = (0..<200).map { index in
            "\(time) stdout F \(index) ".padded(to: 1060) + "\n"
        }.joined()
        try log.write(text)
        for count in [0, 61, 62, 63, 124, 199, 200, 201] {
            var reader = ContainerLogReader(directory: log.directory)
            try reader.skip(toLast: count)
            let lines = try reader.next()
            #expect(lines.count == min(count, 200))
            #expect(lines.first.map { String(decoding: $0.text.prefix { $0 != 32 }, as: UTF8.self) }
                == (count == 0 ? nil : "\(max(0, 200 - count))"))
        }
    }

    // MARK: The end

    @Test func aLogThatNobodyWritesAnyMoreIsEnded() throws {
        let log = LogFile()
        try log.write(records(("stderr", "P no line"), ("stdout", "F a"), ("stdout", "P hel"), ("stderr", "P  break")) + "\(time) stdout P lo")
        var reader = ContainerLogReader(directory: log.directory)
        #expect(try texts(reader.next()) == ["stdout: a"])
        let end = try #require(Timestamp("2026-11-21T00:00:00Z"))
        try ContainerLogReader.seal(directory: log.directory, at: end)
        let rest = try reader.next()
        #expect(texts(rest) == ["stderr: no line break", "stdout: hello"])
        #expect(rest.map(\.at) == [end, end])
        // Once is enough, and the next run's lines are its own.
        let size = try Files.read(log.path).count
        try ContainerLogReader.seal(directory: log.directory, at: .now)
        #expect(try Files.read(log.path).count == size)
        try log.write(records(("stdout", "F again")))
        #expect(try texts(reader.next()) == ["stdout: again"])
    }

    @Test func aLogThatEndedWellStaysAsItIs() throws {
        let log = LogFile()
        let text = records(("stdout", "F a"), ("stdout", "P b"), ("stdout", "F c"))
        try log.write(text)
        try ContainerLogReader.seal(directory: log.directory, at: .now)
        #expect(try Files.readText(log.path) == text)
    }

    // MARK: Full files

    @Test func aLogIsReadAcrossItsFiles() throws {
        let log = LogFile()
        try log.write(records(("stdout", "F one"), ("stdout", "P two ")))
        var follower = ContainerLogReader(directory: log.directory)
        #expect(try texts(follower.next()) == ["stdout: one"])
        log.rename(to: 1)
        #expect(try follower.next() == [])
        try log.write(records(("stdout", "P goes ")))
        try log.reopen()
        try log.write(records(("stdout", "F on"), ("stdout", "F three")))
        let rest1 = try rest(&follower)
        #expect(rest1 == ["stdout: two goes on", "stdout: three"])
        for count in 0...3 {
            var tail = ContainerLogReader(directory: log.directory)
            try tail.skip(toLast: count)
            var lines: [String] = []
            while case let more = try tail.next(), !more.isEmpty { lines += texts(more) }
            #expect(lines == ["stdout: one", "stdout: two goes on", "stdout: three"].suffix(count))
        }
    }

    @Test func whatIsRemovedWhileItIsReadIsReadAllTheSame() throws {
        let log = LogFile()
        try log.write(records(("stdout", "F one")))
        var follower = ContainerLogReader(directory: log.directory)
        #expect(try texts(follower.next()) == ["stdout: one"])
        try log.write(records(("stdout", "F two")))
        log.rename(to: 1)
        try log.reopen()
        try LogFiles(directory: log.directory).remove(before: 2)
        try log.write(records(("stdout", "F three")))
        let rest2 = try rest(&follower)
        #expect(rest2 == ["stdout: two", "stdout: three"])
        let missed1 = follower.takeMissed()
        #expect(!missed1)
    }

    @Test func aLineWithoutItsBeginningIsLeftOut() throws {
        let log = LogFile()
        try log.write(records(("stdout", "F one"), ("stdout", "P two "), ("stderr", "F other")))
        var slow = ContainerLogReader(directory: log.directory)
        #expect(try texts(slow.next()) == ["stdout: one", "stderr: other"])
        for number in 1...3 {
            log.rename(to: number)
            try log.reopen()
            try log.write(records(("stdout", "P more "), ("stderr", "F err \(number)")))
        }
        try log.write(records(("stdout", "F end"), ("stdout", "F whole")))
        try LogFiles(directory: log.directory).remove(before: 4)
        var reader = ContainerLogReader(directory: log.directory)
        #expect(try texts(reader.next()) == ["stderr: err 3", "stdout: whole"])
        let missed2 = reader.takeMissed()
        #expect(!missed2)
        // One that has begun before is told that something is missing.
        let rest3 = try rest(&slow)
        #expect(rest3 == ["stderr: err 3", "stdout: whole"])
        let missed3 = slow.takeMissed()
        #expect(missed3)
        // The numbers go on though no full file is left.
        log.rename(to: 4)
        try log.reopen()
        try log.write(records(("stdout", "F last")))
        #expect(try texts(slow.next()) == ["stdout: last"])
    }

    @Test func aTimeIsFoundWithoutReadingWhatIsBefore() throws {
        let log = LogFile()
        for (number, hour) in ["10", "11", "12"].enumerated() {
            if number > 0 {
                log.rename(to: number)
                try log.reopen()
            }
            try log.write("2026-11-20T\(hour):00:00.000000000Z stdout F at \(hour)\n")
        }
        var reader = ContainerLogReader(directory: log.directory)
        try reader.skip(to: #require(Timestamp("2026-11-20T11:30:00Z")))
        let rest4 = try rest(&reader)
        #expect(rest4 == ["stdout: at 11", "stdout: at 12"])
    }

    // MARK: Any log

    /// The plainest way to read a whole log.
    private func reference(_ bytes: [UInt8]) -> [String] {
        var open: [Substring: String] = [:]
        var lines: [String] = []
        let whole = String(decoding: bytes, as: UTF8.self)
        for record in whole.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            let fields = record.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
            open[fields[1], default: ""] += fields[3]
            if fields[2] == "F" { lines.append("\(fields[1]): \(open.removeValue(forKey: fields[1]) ?? "")") }
        }
        return lines
    }

    @Test(arguments: 0..<40 as Range<UInt64>) func anyLogReadsAsTheReferenceSays(seed: UInt64) throws {
        var random = Seeded(seed)
        let log = LogFile()
        var written: [UInt8] = []
        var reader = ContainerLogReader(directory: log.directory)
        var read: [String] = []
        var files = 0
        for _ in 0..<Int.random(in: 1...30, using: &random) {
            if Int.random(in: 0..<4, using: &random) == 0, Files.exists(log.path) {
                files += 1
                log.rename(to: files)
            } else if !Files.exists(log.path), Bool.random(using: &random) {
                try log.reopen()
            }
            var piece = ""
            for _ in 0..<Int.random(in: 0...8, using: &random) {
                let length = Int.random(in: 0...(Int.random(in: 0..<4, using: &random) > 0 ? 20 : 6000), using: &random)
                let text = String(repeating: "\(Int.random(in: 0...9, using: &random)) ", count: length / 2)
                piece += "\(time) \(Bool.random(using: &random) ? "stdout" : "stderr") "
                    + "\(Bool.random(using: &random) ? "P" : "F") \(text)\n"
            }
            // Written in two parts, cut anywhere, and read in between.
            let bytes = Array(piece.utf8)
            let cut = Int.random(in: 0...bytes.count, using: &random)
            for half in [bytes[..<cut], bytes[cut...]] {
                try log.write(half)
                if Bool.random(using: &random) { read += try texts(reader.next(limit: Int.random(in: 1...100_000, using: &random))) }
            }
            written += bytes
        }
        while case let more = try reader.next(), !more.isEmpty { read += texts(more) }
        let expected = reference(written)
        #expect(read == expected, "seed \(seed)")
        for count in [0, 1, Int.random(in: 0...expected.count, using: &random), expected.count, expected.count + 1] {
            var tail = ContainerLogReader(directory: log.directory)
            try tail.skip(toLast: count)
            var lines: [String] = []
            while case let more = try tail.next(), !more.isEmpty { lines += texts(more) }
            #expect(lines == expected.suffix(count), "seed \(seed), the last \(count) of \(expected.count)")
        }
    }
}

extension String {
    fileprivate func padded(to count: Int) -> String { self + String(repeating: "x", count: max(0, count - utf8.count)) }
}
