import EscaleCore

extension ProjectReader {
    /// What the local driver takes, which is what mount(8) takes.
    func volumeOptions(_ field: Field) -> [String: String]? {
        let example = "write type: none, o: bind and device: /path, or type: nfs, o: addr=10.0.0.2 and device: \":/export\""
        guard let options = field.options(example: example).filled else { return nil }
        for key in options.keys.sorted() where !["type", "o", "device"].contains(key) {
            field.error(
                "compose.volume.driver-opts",
                "\(field.path): there is no option \"\(key)\"",
                hint: "the local driver has type, o and device"
            )
        }
        guard let device = options["device"], !device.isEmpty else {
            field.error("compose.volume.driver-opts", "\(field.path) has no `device`", hint: example)
            return options
        }
        if Volume.bindsDirectory(options), !device.hasPrefix("/") {
            field.error(
                "compose.volume.driver-opts", "\(field.path): \"\(device)\" must be absolute", hint: "write the whole path of the directory")
        } else if !Volume.bindsDirectory(options), options["type"] ?? "" == "" {
            field.error("compose.volume.driver-opts", "\(field.path) has no `type`", hint: example)
        }
        return options
    }
}

extension Volume {
    /// Whether the options name a directory of the host.
    static func bindsDirectory(_ options: [String: String]) -> Bool {
        let words = (options["o"] ?? "").split(separator: ",")
        return words.contains("bind") || words.contains("rbind")
    }

    /// The directory of the host that the volume is; `nil` where it is none.
    package var boundDirectory: String? {
        options?.driverOptions.flatMap { Self.bindsDirectory($0) ? $0["device"] : nil }
    }

    /// Words of mount(8) that the options have.
    package var mountWords: [String] {
        (options?.driverOptions?["o"] ?? "").split(separator: ",").map(String.init)
    }
}
