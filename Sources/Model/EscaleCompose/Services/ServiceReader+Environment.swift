import EscaleCore

/// Variables and labels.
extension ServiceReader {
    func readEnvironment(_ section: Section, into service: inout Service) {
        if let field = section["env_file"] { readFiles(field, into: &service.environment) }
        let example = "write KEY: value, or - KEY=value"
        for (key, value) in section["environment"]?.keyValues(example: example) ?? [] {
            if let value {
                service.environment[key] = value
            } else if let inherited = context.variables[key] {
                service.environment[key] = inherited
            } else {
                // As in Docker Compose: a variable to pass on that nobody has set is unset in the container too.
                service.environment[key] = nil
            }
        }
        service.labels = section["labels"]?.labels() ?? [:]
    }

    private func readFiles(_ field: Field, into environment: inout [String: String]) {
        let items = field.isMapping ? [field] : field.texts() ?? []
        for item in items {
            guard let entries = entries(item) else { continue }
            for (key, value) in entries {
                if let value = value ?? context.variables[key] { environment[key] = value }
            }
        }
    }

    private func entries(_ item: Field) -> [EnvironmentFile.Entry]? {
        var pathField = item
        var isRequired = true
        var isRaw = false
        if item.isMapping {
            guard let section = item.section(.environmentFile) else { return nil }
            guard let path = section["path"] else {
                item.error(
                    "compose.env-file.path",
                    "\(item.path) has no `path`",
                    hint: "name the file: path: ./app.env"
                )
                return nil
            }
            pathField = path
            isRequired = section["required"]?.boolean() ?? true
            if let format = section["format"], let text = format.text() {
                isRaw = text == "raw"
                if !isRaw, !text.isEmpty {
                    format.error(
                        "compose.env-file.format",
                        "\(format.path): \"\(text)\" is no format",
                        hint: "leave it out, or write raw for values without quotes and variables"
                    )
                }
            }
        }
        guard let path = pathField.filledText() else { return nil }
        return read(pathField.resolve(path), pathField, isRequired: isRequired, isRaw: isRaw)
    }

    private func read(_ path: String, _ field: Field, isRequired: Bool, isRaw: Bool) -> [EnvironmentFile
        .Entry]?
    {
        switch context.text(ofFile: path) {
        case .text(let text):
            return isRaw
                ? EnvironmentFile.parseRaw(text)
                : EnvironmentFile.parse(
                    text,
                    file: context.display(path),
                    outer: context.variables,
                    context: context
                )
        case .reported: return nil
        case .failed(let reason):
            field.error("compose.env-file.unreadable", "\(context.display(path)) can't be read: \(reason)")
            return nil
        case .missing:
            if isRequired {
                field.error(
                    "compose.env-file.missing",
                    "there is no file \(context.display(path))",
                    hint: "create it, or write {path: …, required: false} if it may be missing"
                )
            }
            return nil
        }
    }
}
