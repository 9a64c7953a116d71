import EscaleCore
import EscaleYAML

/// `x-escale.release.analysis`: what a new version is judged by.
extension ServiceReader {
    func analysis(_ field: Field) -> Analysis? {
        let example = "write analysis: {max_error_rate: 1%, max_p95: 300ms}"
        guard let section = field.filledSection(.analysis, hint: example) else { return nil }
        note(field, "x-escale.release.analysis")
        var analysis = Analysis()
        analysis.maxErrorRate = section["max_error_rate"]?.share()
        analysis.maxP50 = section["max_p50"]?.positiveDuration()
        analysis.maxP95 = section["max_p95"]?.positiveDuration()
        analysis.maxP99 = section["max_p99"]?.positiveDuration()
        analysis.maxErrorRateIncrease = section["max_error_rate_increase"]?.share()
        analysis.maxP95Ratio = section["max_p95_ratio"].flatMap(ratio)
        if let count = section["min_requests"]?.integer(in: 1...1_000_000) { analysis.minRequests = count }
        analysis.probePath = section["probe"]?.urlPath(example: "/health")
        if let interval = section["interval"]?.positiveDuration() { analysis.interval = interval }
        analysis.prometheus = section["prometheus"].flatMap(query)
        analysis.command = section["command"].flatMap(judge)
        if let word = section["inconclusive"]?.choice(of: Analysis.Inconclusive.self) {
            analysis.inconclusive = word
        }
        analysis.isDryRun = section["dry_run"]?.boolean() ?? false
        let judges = [
            "max_error_rate", "max_p50", "max_p95", "max_p99", "max_error_rate_increase", "max_p95_ratio",
            "prometheus", "command",
        ]
        if judges.allSatisfy({ section[$0] == nil }) {
            field.warning("compose.release.analysis", "\(field.path) judges nothing", hint: example)
        }
        return analysis
    }

    private func ratio(_ field: Field) -> Double? {
        guard let number = field.number() else { return nil }
        if number > 0 { return number }
        field.error(
            "compose.range",
            "\(field.path) is \(field.node.scalar?.text ?? ""); it must be above 0",
            hint: "write how many times slower the new version may be, such as 1.5"
        )
        return nil
    }

    /// A command on the host: a list, or one line without a shell.
    private func judge(_ field: Field) -> [String]? {
        guard let words = commandLine(field) else { return nil }
        if let first = words.first, !first.isEmpty { return words }
        field.error(
            "compose.empty",
            "\(field.path) names no program",
            hint: "write [\"./judge.sh\", \"--strict\"], or remove the line"
        )
        return nil
    }

    private func query(_ field: Field) -> Analysis.Query? {
        let example = "write {server: \"http://127.0.0.1:9090\", query: …, max: 0.01}"
        guard let section = field.filledSection(.analysisQuery, hint: example) else { return nil }
        for key in ["server", "query"] where section[key] == nil && !section.misspells(key) {
            field.error("compose.release.prometheus", "\(field.path) has no `\(key)`", hint: example)
        }
        let minimum = section["min"]?.number()
        let maximum = section["max"]?.number()
        if section["min"] == nil, section["max"] == nil, !section.misspells("min", "max") {
            field.error(
                "compose.release.prometheus",
                "\(field.path) has neither `min` nor `max`",
                hint: "say what the query's value must be within, such as max: 0.01"
            )
        }
        if let minimum, let maximum, minimum > maximum {
            field.error(
                "compose.release.prometheus",
                "\(field.path): no value is at least \(minimum) and at most \(maximum)",
                hint: "swap `min` and `max`"
            )
        }
        guard let server = section["server"].flatMap(server), let query = section["query"]?.filledText()
        else {
            return nil
        }
        return .init(server: server, query: query, minimum: minimum, maximum: maximum)
    }

    private func server(_ field: Field) -> String? {
        let example = "write its base address, such as http://127.0.0.1:9090"
        guard let text = field.filledText(hint: example) else { return nil }
        let scheme = ["http://", "https://"].first { text.lowercased().hasPrefix($0) }
        let isClean = text.unicodeScalars.allSatisfy { (0x21...0x7E).contains($0.value) }
        if let scheme, text.utf8.count > scheme.utf8.count, isClean { return text }
        field.error(
            "compose.release.prometheus",
            "\(field.path): \"\(text)\" is not the address of a server",
            hint: example
        )
        return nil
    }
}
