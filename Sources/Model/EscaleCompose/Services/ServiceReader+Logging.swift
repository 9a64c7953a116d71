import EscaleCore
import EscaleYAML

/// Where the output goes.
extension ServiceReader {
    func logging(_ field: Field) -> LoggingSettings? {
        guard let section = field.section(.logging, hint: "write driver: json-file") else { return nil }
        var logging = LoggingSettings()
        logging.driver = section.text("driver")
        logging.options = section["options"]?.options(example: "write max-size: 10m") ?? [:]
        if let driver = driver(section["driver"], logging.driver), !logging.options.isEmpty {
            check(section["options"], of: driver)
        }
        return filled(logging, unlike: LoggingSettings())
    }

    /// `nil` where there is none of that name.
    private func driver(_ field: Field?, _ name: String?) -> LogPolicy.Driver? {
        guard let field, let name else { return .jsonFile }
        if let driver = LogPolicy.Driver(rawValue: name) { return driver }
        let names = LogPolicy.Driver.allCases.map(\.rawValue)
        if LogPolicy.Driver.foreign.contains(name) {
            field.error(
                "compose.logging.driver", "\(field.path): Escale doesn't send output by the driver \(name)",
                hint: "use one of \(Field.listed(names)); syslog and journald hand it on to a collector")
        } else {
            let near = Suggestion.nearest(to: name, among: names).map { "did you mean \($0)? " } ?? ""
            field.error(
                "compose.logging.driver", "\(field.path): there is no logging driver \"\(name)\"",
                hint: "\(near)possible are \(Field.listed(names))")
        }
        return nil
    }

    private func check(_ options: Field?, of driver: LogPolicy.Driver) {
        var policy = LogPolicy(driver: driver)
        for option in options?.members() ?? [] {
            guard let text = option.value.node.scalar?.text else { continue }
            if driver.options.contains(option.key) {
                guard let expected = policy.take(option.key, text) else { continue }
                option.value.error("compose.logging.value", "\(option.value.path): \"\(text)\" is not \(expected)")
            } else if let instead = LogPolicy.Driver.idle[option.key] {
                option.value.warning(
                    "compose.logging.option", "\(option.value.path) changes nothing: \(instead)",
                    hint: "remove the line to see no warning")
            } else {
                unknown(option.key, option.value, of: driver)
            }
        }
    }

    private func unknown(_ name: String, _ field: Field, of driver: LogPolicy.Driver) {
        let known = driver.options.sorted()
        let hint =
            if name.hasPrefix("syslog-tls") {
                "send to a collector on this host by udp, tcp or unix, and let it encrypt"
            } else if let near = Suggestion.nearest(to: name, among: known) {
                "did you mean \(near)?"
            } else if known.isEmpty {
                "remove the line"
            } else {
                "possible are \(Field.listed(known))"
            }
        field.error(
            "compose.logging.option", "\(field.path): the logging driver \(driver.rawValue) has no option \"\(name)\"",
            hint: hint)
    }
}
