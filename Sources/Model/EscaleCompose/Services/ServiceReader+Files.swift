import EscaleCore

/// Files of variables and of labels.
extension ServiceReader {
    /// What `env_file` sets.
    ///
    /// - Parameter own: The service's own `environment`, which the files' values may refer to.
    func environmentFiles(_ field: Field, own: [String: String]) -> [String: String] {
        var environment: [String: String] = [:]
        for item in field.isMapping ? [field] : field.texts() ?? [] {
            for (key, value) in entries(item, own: own) ?? [] {
                if let value = value ?? variables(at: item)[key] { environment[key] = value }
            }
        }
        return environment
    }

    /// What `label_file` sets.
    func labelFiles(_ field: Field) -> [String: String] {
        var labels: [String: String] = [:]
        for item in field.texts() ?? [] {
            guard let path = item.filledText(hint: "name a file of KEY=value lines") else { continue }
            let hint = "create it, or write the labels under `labels`"
            guard let text = text(of: item.located(path), item, code: "compose.label-file", missing: hint)
            else { continue }
            for (key, value) in parse(text, item.located(path), item, own: [:]) { labels[key] = value ?? "" }
        }
        return labels
    }

    private func variables(at field: Field) -> [String: String] {
        context.scope(of: field.position).variables
    }

    private func entries(_ item: Field, own: [String: String]) -> [EnvironmentFile.Entry]? {
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
            isRaw = section["format"].map(self.isRaw) ?? false
        }
        guard let written = pathField.filledText() else { return nil }
        let path = pathField.located(written)
        let hint = isRequired ? "create it, or write {path: …, required: false} if it may be missing" : nil
        guard let text = text(of: path, pathField, code: "compose.env-file", missing: hint) else {
            return nil
        }
        return isRaw ? EnvironmentFile.parseRaw(text) : parse(text, path, pathField, own: own)
    }

    private func isRaw(_ format: Field) -> Bool {
        guard let text = format.text(), text != "raw" else { return !format.isNull }
        if !text.isEmpty {
            format.error(
                "compose.env-file.format",
                "\(format.path): \"\(text)\" is no format",
                hint: "leave it out, or write raw for values without quotes and variables"
            )
        }
        return false
    }

    private func parse(_ text: String, _ path: String, _ field: Field, own: [String: String])
        -> [EnvironmentFile.Entry]
    {
        guard context.spend(.text(text.utf8.count), at: field.position) else { return [] }
        return EnvironmentFile.parse(
            text,
            file: context.display(path),
            outer: variables(at: field).merging(own) { surrounding, _ in surrounding },
            context: context
        )
    }

    /// The file's text; what it is worth to say about a file that can't be had is said.
    ///
    /// - Parameter hint: What to do where it is missing; `nil` if it may be.
    private func text(of path: String, _ field: Field, code: String, missing hint: String?) -> String? {
        switch context.environmentText(ofFile: path) {
        case .text(let text): return text
        case .reported: return nil
        case .failed(let reason):
            field.error("\(code).unreadable", "\(context.display(path)) can't be read: \(reason)")
        case .missing:
            if let hint {
                field.error("\(code).missing", "there is no file \(context.display(path))", hint: hint)
            }
        }
        return nil
    }
}
