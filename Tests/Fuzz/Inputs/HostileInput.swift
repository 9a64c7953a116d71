import EscaleTestSupport

/// Files that would cost all time or memory of a loader without limits. Every one must be refused.
enum HostileInput {
    typealias Files = [String: [UInt8]]

    static func make(_ random: inout Seeded) -> Files {
        let size = Int.random(in: 1...3, using: &random)
        switch Int.random(in: 0..<9, using: &random) {
        case 0: return compose(aliasBomb(levels: 8 + size, width: 9))
        case 1: return compose(mergeBomb(levels: 20 * size))
        case 2: return compose("a: ", repeated: "[", 100 << (4 * size))
        case 3: return compose("a: ", repeated: "{a: ", 100 << (3 * size))
        case 4: return compose("services: {web: {image: \"", repeated: "x", 10 << 20, "\"}}")
        case 5: return compose("", repeated: "- ", 100 << (4 * size))
        case 6: return includeCycle(length: size)
        case 7: return extendsCycle(length: size)
        default: return compose("services: {web: {image: \"", repeated: "${A:-", 2000 * size, "\"}}")
        }
    }

    private static func compose(_ text: String) -> Files { ["compose.yaml": Array(text.utf8)] }

    /// Made as bytes at once, so that the input's own making takes no more memory than the input.
    private static func compose(_ start: String, repeated part: String, _ count: Int, _ end: String = "") -> Files {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(start.utf8.count + part.utf8.count * count + end.utf8.count)
        bytes += start.utf8
        for _ in 0..<count { bytes += part.utf8 }
        bytes += end.utf8
        return ["compose.yaml": bytes]
    }

    /// Each list holds the one before several times.
    private static func aliasBomb(levels: Int, width: Int) -> String {
        var text = "x-0: &l0 [a]\n"
        for level in 1...levels {
            let items = Array(repeating: "*l\(level - 1)", count: width).joined(separator: ", ")
            text += "x-\(level): &l\(level) [\(items)]\n"
        }
        return text + "services: {web: {image: x, command: *l\(levels)}}\n"
    }

    /// Each mapping merges the one before under two keys.
    private static func mergeBomb(levels: Int) -> String {
        var text = "x-0: &l0 {a: b}\n"
        for level in 1...levels { text += "x-\(level): &l\(level) {<<: *l\(level - 1), c\(level): *l\(level - 1)}\n" }
        return text + "services: {web: {image: x, labels: *l\(levels)}}\n"
    }

    private static func includeCycle(length: Int) -> Files {
        var files = compose("include: [base0.yaml]\nservices: {web: {image: x}}\n")
        for index in 0..<length {
            files["base\(index).yaml"] = Array("include: [base\((index + 1) % length).yaml]\n".utf8)
        }
        return files
    }

    private static func extendsCycle(length: Int) -> Files {
        let services = (0..<length).map { index in
            "s\(index): {image: x, extends: {service: s\((index + 1) % length)}}"
        }
        return compose("services: {\(services.joined(separator: ", "))}\n")
    }
}
