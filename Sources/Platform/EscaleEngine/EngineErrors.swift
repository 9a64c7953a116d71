import EscaleCore

extension EscaleError {
    /// The container couldn't be made or started; the runtime's own words say why.
    static func startFailed(_ name: String, saying output: String) -> Self {
        let words = output.split(separator: "\n").last.map(String.init) ?? "no reason given"
        let missing = words.contains("not found") || words.contains("No such file or directory")
        return Self(
            .init("container.start-failed"), "container \(name) can't be started: \(words)",
            hint: missing
                ? "check `command` and `entrypoint`: the program has to be in the image"
                : "see `escale logs` and the service's settings in the compose file")
    }
}
