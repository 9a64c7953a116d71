import EscaleCore
import EscaleYAML

/// Devices, GPUs and rules about devices.
extension ServiceReader {
    func readDevices(_ section: Section, into service: inout Service) {
        var devices = ServiceDevices()
        devices.mappings = (section["devices"]?.items(hint: Self.deviceForms) ?? []).compactMap(deviceMapping)
        let rules = section["device_cgroup_rules"]?.items(hint: "write a list such as [\"c 1:3 mr\"]") ?? []
        devices.cgroupRules = rules.compactMap(cgroupRule)
        devices.gpus = section["gpus"].map(gpus) ?? []
        service.devices = filled(devices, unlike: ServiceDevices())
    }

    private static let deviceForms = "write /dev/x, /dev/x:/dev/y or /dev/x:/dev/y:rw"

    private func deviceMapping(_ item: Field) -> DeviceMapping? {
        guard item.isMapping else { return shortDevice(item) }
        let example = "write source: /dev/x"
        guard let section = item.section(.device, hint: example) else { return nil }
        guard let sourceField = section["source"] else {
            if !section.misspells("source") {
                item.error("compose.missing", "\(item.path) has no `source`", hint: example)
            }
            return nil
        }
        guard let source = sourceField.filledText(hint: example) else { return nil }
        let target = section["target"]?.filledText() ?? source
        let permissions = section["permissions"]
        return device(
            item,
            source: (source, sourceField),
            target: (target, section["target"] ?? sourceField),
            permissions: (permissions?.filledText() ?? "rwm", permissions ?? item)
        )
    }

    private func refuseInterface(_ device: String, _ field: Field) {
        context.refuse(
            "\(field.path): the CDI device \(device) is not supported",
            at: field.position,
            hint: "name its device files, such as /dev/dri/renderD128"
        )
    }

    private func shortDevice(_ item: Field) -> DeviceMapping? {
        guard let text = item.filledText(hint: Self.deviceForms) else { return nil }
        // A CDI device has a name such as vendor.com/class=name.
        if text.contains("="), !text.hasPrefix("/") {
            refuseInterface(text, item)
            return DeviceMapping(source: text, target: text)
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 3, !parts.contains("") else {
            item.error("compose.device", "\(item.path): \"\(text)\" is no device", hint: Self.deviceForms)
            return nil
        }
        return device(
            item,
            source: (parts[0], item),
            target: (parts.count > 1 ? parts[1] : parts[0], item),
            permissions: (parts.count == 3 ? parts[2] : "rwm", item)
        )
    }

    private func device(
        _ item: Field,
        source: (text: String, field: Field),
        target: (text: String, field: Field),
        permissions: (text: String, field: Field)
    ) -> DeviceMapping? {
        guard source.text.hasPrefix("/") || !source.text.contains("=") else {
            refuseInterface(source.text, source.field)
            return DeviceMapping(source: source.text, target: target.text)
        }
        for path in [source, target] where !path.text.hasPrefix("/") && !path.text.contains("=") {
            path.field.error(
                "compose.device",
                "\(path.field.path): \"\(path.text)\" must be absolute",
                hint: Self.deviceForms
            )
            return nil
        }
        guard Self.isAccess(permissions.text) else {
            permissions.field.error(
                "compose.device",
                "\(permissions.field.path): \"\(permissions.text)\" are no permissions of a device",
                hint: "possible are r (read), w (write) and m (make), each once, such as rw"
            )
            return nil
        }
        return DeviceMapping(source: source.text, target: target.text, permissions: permissions.text)
    }

    /// Some of `r`, `w` and `m`, each once.
    private static func isAccess(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.allSatisfy("rwm".contains) && Set(text).count == text.count
    }

    /// `c 1:3 mr`.
    private func cgroupRule(_ item: Field) -> String? {
        let example = "write kind, major:minor and access, such as \"c 1:3 mr\" or \"a 7:* rmw\""
        guard let text = item.filledText(hint: example) else { return nil }
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        if parts.count == 3, ["a", "b", "c"].contains(parts[0]), Self.isAccess(parts[2]) {
            let numbers = parts[1].split(separator: ":", omittingEmptySubsequences: false)
            if numbers.count == 2, numbers.allSatisfy({ $0 == "*" || UInt32($0) != nil }) { return text }
        }
        item.error("compose.device", "\(item.path): \"\(text)\" is no rule about devices", hint: example)
        return nil
    }

    // MARK: Requests

    private func gpus(_ field: Field) -> [DeviceRequest] {
        guard field.isScalar else { return deviceRequests(field, .gpu) }
        let example = "write gpus: all, or a list such as [{count: 2}]"
        guard let text = field.filledText(hint: example) else { return [] }
        guard text == "all" else {
            field.error("compose.value", "\(field.path): \"\(text)\" is not possible here", hint: example)
            return []
        }
        var request = DeviceRequest()
        request.count = .all
        return [request]
    }

    func deviceRequests(_ field: Field?, _ scope: ComposeAttribute.Scope) -> [DeviceRequest] {
        let example = "write - {capabilities: [gpu], count: 1}"
        return (field?.items(hint: example) ?? []).compactMap { item in
            guard let section = item.section(scope, hint: example) else { return nil }
            var request = DeviceRequest()
            request.capabilities =
                section["capabilities"]?.filledTexts(hint: "write a list such as [gpu]") ?? []
            request.driver = section.text("driver")
            request.count = section["count"].flatMap(deviceCount)
            request.ids =
                section["device_ids"]?.filledTexts(hint: "write a list such as [\"0\", \"3\"]") ?? []
            request.options = section["options"]?.pairs(example: "write key: value") ?? [:]
            if scope == .reservedDevice, section["capabilities"] == nil, section["driver"] == nil,
                !section.misspells("capabilities", "driver")
            {
                item.error(
                    "compose.missing",
                    "\(item.path) has neither `capabilities` nor `driver`",
                    hint: example
                )
            }
            if let ids = section["device_ids"], section["count"] != nil {
                ids.error(
                    "compose.device",
                    "\(item.path) has both `count` and `device_ids`",
                    hint: "the ids say how many there are; remove `count`"
                )
            }
            return request
        }
    }

    private func deviceCount(_ field: Field) -> DeviceRequest.Count? {
        if field.node.scalar?.text.lowercased() == "all" { return .all }
        // As older programs write all.
        if field.node.scalar?.text == "-1" { return .all }
        return field.integer(in: 0...1024).map { .number($0) }
    }
}
