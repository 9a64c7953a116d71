import EscaleCore

/// Health checks.
extension ServiceReader {
    func healthcheck(_ field: Field) -> Healthcheck? {
        guard
            let section = field.section(.healthcheck, hint: "write at least test: curl -f http://localhost/")
        else { return nil }
        var check = Healthcheck()
        check.test = section["test"].flatMap(test)
        check.interval = positive(section["interval"])
        check.timeout = positive(section["timeout"])
        check.startPeriod = section["start_period"]?.duration()
        check.startInterval = positive(section["start_interval"])
        check.retries = section["retries"]?.integer(in: 0...1000).flatMap { $0 == 0 ? nil : $0 }
        if section["disable"]?.boolean() == true {
            if let test = check.test, test != .none {
                section["test"]?.warning(
                    "compose.healthcheck.disabled",
                    "\(field.path): the test never runs, since `disable` is true",
                    hint: "remove one of the two"
                )
            }
            check.test = Healthcheck.Test.none
        }
        return check
    }

    /// Zero means "as the image says", as in Docker.
    private func positive(_ field: Field?) -> Duration? {
        field?.duration().flatMap { $0 == .zero ? nil : $0 }
    }

    private func test(_ field: Field) -> Healthcheck.Test? {
        let forms =
            "write a command line, or [\"CMD\", \"pg_isready\"], or [\"CMD-SHELL\", \"curl -f localhost || exit 1\"]"
        if field.isScalar { return field.filledText(hint: forms).map { .shell($0) } }
        guard let items = field.items(hint: forms) else { return nil }
        let words = items.compactMap { $0.text() }
        guard words.count == items.count else { return nil }
        switch words.first {
        case "NONE" where words.count == 1: return Healthcheck.Test.none
        case "CMD" where words.count > 1: return .exec(Array(words.dropFirst()))
        case "CMD-SHELL" where words.count == 2: return .shell(words[1])
        case "NONE", "CMD", "CMD-SHELL":
            field.error(
                "compose.healthcheck.test",
                words.count == 1
                    ? "\(field.path): a command is missing after \(words[0])"
                    : "\(field.path): \(words[0]) takes \(words[0] == "NONE" ? "nothing" : "one command line") behind it",
                hint: forms
            )
        case let first:
            field.error(
                "compose.healthcheck.test",
                "\(field.path) must begin with CMD, CMD-SHELL or NONE"
                    + (first.map { ", not \"\($0)\"" } ?? ""),
                hint: forms
            )
        }
        return nil
    }
}
