import EscaleCore
import EscaleYAML

/// Reads a secret or a config of the project and finds its text.
struct SharedFileReader {
    let context: LoadContext
    let kind: Place.Resource
    let key: String
    let project: ProjectName

    /// What one that somebody else made can't have.
    var ownAttributes: [String] {
        ["file", "environment", "labels", "template_driver"]
            + (kind == .secret ? ["driver", "driver_opts"] : ["content"])
    }

    private var sources: [String] {
        kind == .secret ? ["file", "environment"] : ["file", "content", "environment"]
    }

    func read(_ member: Field.Member, _ section: Section?, _ external: ProjectReader.External) -> SharedFile?
    {
        var file = SharedFile(key: key)
        file.isExternal = external.isExternal ? true : nil
        let given = section?.text("name") ?? external.name
        file.name = given == file.usualName(in: project) ? nil : given
        file.labels = section?["labels"]?.labels().filled
        file.driver = section?.text("driver")
        file.driverOptions = section?["driver_opts"]?.options(example: "write key: value").filled
        file.templateDriver = section?.text("template_driver")
        let origins = sources.filter { section?[$0] != nil }
        guard origins.count <= 1 else {
            for name in origins.dropFirst() {
                section?[name]?.error(
                    "compose.\(kind.rawValue).source",
                    "\(member.value.path) has both `\(origins[0])` and `\(name)`",
                    hint: "the text comes from one place; remove one of the two"
                )
            }
            return file
        }
        guard let name = origins.first, let source = section?[name] else {
            let isExplained =
                external.isExternal || section?["driver"] != nil || (section == nil && !member.value.isNull)
            if !isExplained, section.map({ $0.misspells("file", "environment", "content") }) != true {
                reportMissing(member)
            }
            return file
        }
        switch name {
        case "file": file.file = path(source)
        case "content": file.content = source.text(hint: "write the text, such as content: |")
        default: (file.environment, file.content) = variable(source)
        }
        return file
    }

    private func reportMissing(_ member: Field.Member) {
        context.error(
            "compose.\(kind.rawValue).file",
            "\(member.value.path) has no source",
            at: member.position,
            hint: "name the file that holds the value: file: ./\(key).\(kind == .secret ? "txt" : "conf")"
        )
    }

    private func path(_ field: Field) -> String? {
        guard let path = field.filledText() else { return nil }
        let absolute = field.resolve(path)
        if absolute.hasPrefix("/"), !context.fileSystem.exists(absolute) {
            field.warning(
                "compose.\(kind.rawValue).missing",
                "there is no file \(absolute)",
                hint:
                    "create it before `escale up`; services that use the \(kind.rawValue) won't start without it"
            )
        }
        return absolute
    }

    /// The variable's name and its value.
    private func variable(_ field: Field) -> (name: String?, value: String?) {
        guard let name = field.filledText(hint: "name a variable such as DB_PASSWORD") else {
            return (nil, nil)
        }
        guard let value = field.variable(name) else {
            field.error(
                "compose.variable.required",
                "\(field.path): the variable \(name) must be set",
                hint: "set it in the shell or in .env"
            )
            return (name, nil)
        }
        return (name, value)
    }
}
