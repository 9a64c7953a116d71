import EscaleCore

/// Variables and labels.
extension ServiceReader {
    func readEnvironment(_ section: Section, into service: inout Service) {
        let example = "write KEY: value, or - KEY=value"
        let pairs = section["environment"]?.keyValues(example: example) ?? []
        if let field = section["env_file"] {
            let own = pairs.compactMap { pair in pair.value.map { (pair.key, $0) } }
            service.environment = environmentFiles(
                field,
                own: Dictionary(own, uniquingKeysWith: { first, _ in first })
            )
        }
        for (key, value) in pairs {
            if let value {
                service.environment[key] = value
            } else if let inherited = context.variables[key] {
                service.environment[key] = inherited
            } else {
                // As in Docker Compose: a variable to pass on that nobody has set is unset in the container too.
                service.environment[key] = nil
            }
        }
        service.labels = (section["label_file"].map(labelFiles) ?? [:]).merging(
            section["labels"]?.labels() ?? [:],
            uniquingKeysWith: { _, own in own }
        )
    }
}
