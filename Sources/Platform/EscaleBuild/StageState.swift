import EscaleCore
import EscaleDockerfile
import EscaleOCI

/// What a stage has come to after some of its instructions.
struct StageState: Sendable {
    var config: ImageConfig
    /// Bottom first.
    var layers: [Digest]
    /// The values of the `ARG`s so far.
    var arguments: [String: String] = [:]
    /// Whether the stage itself set the command, which an `ENTRYPOINT` would clear otherwise.
    var hasOwnCommand = false
    /// When its newest step was made. The same steps give the same time, and so the same image.
    var created: Timestamp?
    /// What all its times are, if somebody wants the image to be the same whenever it is built.
    var epoch: Timestamp?

    init(config: ImageConfig, layers: [Digest]) {
        self.config = config
        self.layers = layers
        created = config.created
    }

    var workingDirectory: String { config.config.workingDirectory ?? "/" }
    var shell: [String] { config.config.shell ?? ["/bin/sh", "-c"] }

    /// The value that a variable has in an instruction: `ENV` wins over `ARG`.
    func value(_ name: String) -> String? { config.config.environmentValue(name) ?? arguments[name] }

    func absolute(_ path: String) -> String {
        let whole = path.hasPrefix("/") ? path : "\(workingDirectory)/\(path)"
        return "/" + cleanPath(whole)
    }

    func arguments(of command: CommandLine) -> [String] {
        switch command {
        case .exec(let words): words
        case .shell(let line): shell + [line]
        }
    }

    mutating func record(_ text: String, layer: Digest? = nil, at time: Timestamp? = nil) {
        if let time { created = max(created ?? time, time) }
        if let epoch { created = epoch }
        if let layer { layers.append(layer) }
        config.history.append(ImageHistory(created: created, createdBy: text, emptyLayer: layer == nil))
    }
}
